//! What is read: status, health, metrics, frames, samples, heads, verdicts.

use super::*;

#[test]
fn status_health_and_metrics_are_those_of_the_view() {
    let opened = Opened::new(Limits::default(), None);
    assert_eq!(opened.get("/api/v1/status").json(), serde_json::to_value(view()).unwrap());
    assert_eq!((opened.get("/readyz").status, opened.get("/readyz").json()["ready"].clone()), (200, true.into()));
    let metrics = opened.get("/metrics");
    assert!(metrics.header("content-type").unwrap().starts_with("application/openmetrics-text"));
    assert!(String::from_utf8(metrics.body).unwrap().contains("acclimate_task_generation{task=\"gate\"} 3.0"));
    let mut next = view();
    next.tasks[0].extractor = None;
    opened.view.send_replace(Arc::new(next));
    let answer = opened.get("/readyz");
    assert_eq!(answer.status, 503);
    assert!(answer.json()["reasons"][0].as_str().unwrap().contains("gate"));
    assert_eq!(opened.get("/healthz").body, b"ok\n");
    opened.close();
}

#[test]
fn the_newest_frame_is_a_picture_named_by_its_etag_and_pictures_are_handed_in() {
    let opened = Opened::new(Limits::default(), None);
    let answer = opened.get("/api/v1/sources/yard/frame");
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("image/png")));
    assert_eq!(answer.body, picture(1));
    let etag = answer.header("etag").unwrap().to_owned();
    let known = format!("GET /api/v1/sources/yard/frame\r\nIf-None-Match: {etag}");
    assert_eq!(opened.ask(&known, b"").status, 304);
    let pixels = Content::Rgb { width: 2, height: 1, pixels: vec![200, 10, 10, 200, 10, 10] };
    opened.newest.keep(Arc::new(Frame { source: "yard".into(), taken: at(6), content: pixels }));
    let answer = opened.ask(&known, b"");
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("image/jpeg")));
    let seen = image::load_from_memory(&answer.body).unwrap().to_rgb8();
    assert!(seen.dimensions() == (2, 1) && seen.get_pixel(0, 0)[0] > 150, "{seen:?}");
    opened.get("/api/v1/sources/nowhere/frame").refused(404, "not_found");

    let (hand, file) = ("POST /api/v1/sources/door/frame\r\nContent-Type: image/png", picture(3));
    assert_eq!(opened.ask(hand, &file).status, 200);
    opened.ask(hand, b"<svg onload='alert(1)'/>").refused(400, "invalid");
    opened.ask("POST /api/v1/sources/yard/frame", &file).refused(404, "not_found");
    assert_eq!(*opened.handed.lock().unwrap(), [("door".to_owned(), file.len())]);
    opened.close();
}

#[test]
fn samples_come_with_what_the_head_says_of_them_without_having_learnt_from_them() {
    let opened = Opened::new(Limits::default(), None);
    let list = |query: &str| match opened.get(&format!("/api/v1/tasks/gate/samples{query}")).json() {
        Value::Array(list) => list,
        other => panic!("{query}: {other}"),
    };
    let all = list("");
    assert_eq!(all.len(), 45);
    assert_eq!(all[0]["taken"], at(1_000_000 + 60 * 44).to_string(), "the newest first");
    for sample in &all {
        let confidence = sample["confidence"].as_f64().unwrap();
        assert!((0.0..=1.0).contains(&confidence) && sample["guess"].is_string(), "{sample}");
    }
    assert_eq!(list("?filter=unlabelled").len(), 5);
    assert_eq!((list("?filter=labelled").len(), list("?filter=labelled&limit=7").len()), (40, 7));
    let useful = list("?filter=useful&limit=3");
    assert!(useful.len() == 3 && useful.iter().all(|sample| sample["label"].is_null() && sample["why"].is_string()));

    // The one wrong label, by all three ways to it: its leave-out answer is the other class.
    let wrong = SampleId::of(&picture(39)).to_string();
    let suspects = list("?filter=suspect");
    assert_eq!((&suspects[0]["id"], &suspects[0]["guess"]), (&wrong.as_str().into(), &"shut".into()));
    let confused = list("?filter=labelled&label=open&guess=shut");
    assert_eq!(confused.len(), 1);
    assert_eq!(confused[0]["id"], wrong);
    assert_eq!(list("?label=open").len(), 21);

    let content = opened.get(&format!("/api/v1/tasks/gate/samples/{wrong}/picture"));
    assert_eq!((content.header("content-type"), &content.body), (Some("image/png"), &picture(39)));
    opened.get("/api/v1/tasks/gate/samples/0000/picture").refused(404, "not_found");
    opened.get("/api/v1/tasks/nothing/samples").refused(404, "not_found");
    opened.close();
}

#[test]
fn heads_verdicts_and_the_evaluation_are_those_of_the_store() {
    let opened = Opened::new(Limits::default(), None);
    let of = |what: &str| opened.get(&format!("/api/v1/tasks/gate/{what}")).json();
    let heads = of("heads");
    assert_eq!(heads.as_array().unwrap().len(), 1);
    assert_eq!((&heads[0]["in_service"], &heads[0]["head"]), (&true.into(), &"ridge".into()));
    let verdicts = of("adaptations");
    assert_eq!(verdicts[0]["verdict"], "activated");
    assert_eq!(verdicts[0]["generation"], heads[0]["generation"]);
    assert!(verdicts[0]["time"].is_string() && verdicts[0]["who"] == "alice", "{verdicts}");
    assert_eq!(of("adaptations?limit=0"), serde_json::json!([]));
    let evaluation = of("evaluation");
    assert_eq!(evaluation["generation"], heads[0]["generation"]);
    assert_eq!(evaluation["evaluation"]["accuracy"], heads[0]["accuracy"]);
    // 40 answers, one of them against its label: what the bins hold is what the confusion matrix counts.
    let bins = evaluation["reliability"].as_array().unwrap();
    let right: f64 = bins.iter().map(|bin| bin["accuracy"].as_f64().unwrap() * bin["samples"].as_f64().unwrap()).sum();
    let counts = &evaluation["evaluation"]["confusion"]["counts"];
    let diagonal = counts[0][0].as_u64().unwrap() + counts[1][1].as_u64().unwrap();
    assert_eq!(bins.iter().map(|bin| bin["samples"].as_u64().unwrap()).sum::<u64>(), 40);
    assert_eq!(right.round() as u64, diagonal);
    assert_eq!(evaluation["generations"].as_array().unwrap().len(), 1);
    opened.close();

    // Without a store there are no tasks, which is no failure.
    let opened = Opened::on(tempfile::tempdir().unwrap(), Limits::default(), None);
    opened.get("/api/v1/tasks/gate/evaluation").refused(404, "not_found");
    opened.close();
}
