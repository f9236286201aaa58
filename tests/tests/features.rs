//! What the reports compute on: features of whole data sets as the binary makes them, and draws from them.

use std::collections::BTreeSet;

use acclimate_tests::draws::Draw;
use acclimate_tests::features::Features;
use acclimate_tests::trashnet::BACKBONE;
use acclimate_trainer::Feature;

#[test]
fn features_are_decoded_codes_of_every_picture() {
    let Some(features) = Features::trashnet(BACKBONE) else { return };
    // One photograph is there twice.
    assert_eq!((features.x.dim(), features.classes.len()), ((719, 1280), 6));
    assert!(features.sources[0].starts_with("images/cardboard/"), "{}", features.sources[0]);
    let row = features.x.row(0).to_vec();
    let unit = Feature::from_raw(&row).unwrap();
    let again = features.quantisation.encode(&unit).codes;
    let decoded = features.quantisation.decode(&again);
    assert!(decoded.iter().zip(&row).all(|(a, b)| (a - b).abs() <= features.quantisation.full_scale / 255.0));
    assert!(Features::trashnet(BACKBONE).is_some_and(|kept| kept.x == features.x && kept.file == features.file));

    let all = Draw::all(&features, 0);
    let [train, test] = [&all.train, &all.test].map(|rows| features.pick(rows));
    let groups: BTreeSet<_> = train.groups.iter().collect();
    assert!(test.groups.iter().all(|group| !groups.contains(group)));
    assert_eq!(train.samples(6).unwrap().counts().iter().sum::<usize>() + test.labels.len(), 719);
    let five = features.pick(&all.few(&features, 5).train);
    assert_eq!(five.samples(6).unwrap().counts(), [5; 6]);
}

#[test]
fn windows_know_their_recording_and_their_person() {
    let Some(features) = Features::magic_wand() else { return };
    let recordings: BTreeSet<_> = features.sources.iter().collect();
    let groups: BTreeSet<_> = features.groups.iter().collect();
    let persons: BTreeSet<_> = features.domains.iter().collect();
    println!("{} windows, {} recordings, {} groups", features.labels.len(), recordings.len(), groups.len());
    assert!(groups.len() <= recordings.len() && persons.len() > 5, "{persons:?}");
    let draw = Draw::all(&features, 0);
    let [train, test] =
        [&draw.train, &draw.test].map(|rows| rows.iter().map(|&row| &features.domains[row]).collect::<BTreeSet<_>>());
    assert!(train.is_disjoint(&test) && train.len() + test.len() == persons.len());
}
