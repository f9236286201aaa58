//! What two classes are to Home Assistant: which of them is on, and what on means there. Pure; knows no topic.
//!
//! What is configured wins, then what the names say. Of two names that say nothing neither is on, so the task stays a sensor
//! that names its class.

/// Words for what is off, for what is on, and the device class of both.
const PAIRS: [(&[&str], &[&str], &str); 8] = [
    (&["closed", "close", "shut"], &["ajar", "open", "opened"], "opening"),
    (&["empty", "free", "unoccupied", "vacant"], &["busy", "occupied", "taken"], "occupancy"),
    (&["absent", "away", "gone", "missing"], &["here", "home", "present"], "presence"),
    (&["off"], &["on"], "power"),
    (&["idle", "still", "stopped"], &["moving", "running"], "running"),
    (&["locked"], &["unlocked"], "lock"),
    (&["dry"], &["leak", "leaking", "wet"], "moisture"),
    (&["dark"], &["bright", "light"], "light"),
];

/// What is as it should be: whatever else there is, is a problem.
const FINE: [&str; 5] = ["fine", "good", "normal", "ok", "okay"];

/// How the configuration wants a task of two classes to show.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::mqtt) struct Wanted {
    /// One of Home Assistant's.
    pub(in crate::mqtt) device_class: Option<String>,
    /// The class that is on.
    pub(in crate::mqtt) on: Option<String>,
}

/// A task that is on or off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Two<'a> {
    pub(super) on: &'a str,
    pub(super) device_class: Option<&'a str>,
}

impl<'a> Two<'a> {
    /// None where it is more than that, or where nobody says which class is on.
    pub(super) fn of(classes: &[&'a str], wanted: &'a Wanted) -> Option<Self> {
        let &[one, other] = classes else { return None };
        let guessed = by_name(one, other);
        let named = wanted.on.as_deref().and_then(|on| [one, other].into_iter().find(|class| *class == on));
        // Whoever names a device class and no class means the first, unless the names say better.
        let first = wanted.device_class.is_some().then_some(one);
        let on = named.or(guessed.map(|two| two.on)).or(first)?;
        let meant = guessed.filter(|two| two.on == on).and_then(|two| two.device_class);
        Some(Self { on, device_class: wanted.device_class.as_deref().or(meant) })
    }
}

fn by_name<'a>(one: &'a str, other: &'a str) -> Option<Two<'a>> {
    [(one, other), (other, one)].into_iter().find_map(|(off, on)| {
        let (low, high) = (off.to_lowercase(), on.to_lowercase());
        let is = |words: &[&str], name: &str| words.contains(&name);
        if let Some((_, _, device_class)) = PAIRS.iter().find(|(offs, ons, _)| is(offs, &low) && is(ons, &high)) {
            return Some(Two { on, device_class: Some(device_class) });
        }
        if is(&FINE, &low) && !is(&FINE, &high) {
            return Some(Two { on, device_class: Some("problem") });
        }
        // `no cat` and `cat`, `not-ready` and `ready`; `no` and `yes`.
        let without = ["no", "not"].iter().find_map(|not| low.strip_prefix(not)?.strip_prefix([' ', '-', '_']));
        let denied = without == Some(high.as_str()) || low == "no" && high == "yes";
        denied.then_some(Two { on, device_class: None })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_names_say_is_the_default() {
        let plain = Wanted::default();
        let two = |one, other| Two::of(&[one, other], &plain).map(|two| (two.on, two.device_class));
        assert_eq!(two("open", "closed"), Some(("open", Some("opening"))));
        assert_eq!(two("shut", "Open"), Some(("Open", Some("opening"))));
        assert_eq!(two("ok", "scratch"), Some(("scratch", Some("problem"))));
        assert_eq!(two("cat", "no-cat"), Some(("cat", None)));
        assert_eq!(two("yes", "no"), Some(("yes", None)));
        for (one, other) in [("glass", "metal"), ("ok", "good"), ("no", "nope"), ("open", "locked")] {
            assert_eq!(two(one, other), None, "{one}, {other}");
        }
        assert_eq!(Two::of(&["open"], &plain), None);
        assert_eq!(Two::of(&["open", "shut", "ajar"], &plain), None);
    }

    #[test]
    fn what_is_configured_wins() {
        let wanted = |device_class: Option<&str>, on: Option<&str>| Wanted {
            device_class: device_class.map(str::to_owned),
            on: on.map(str::to_owned),
        };
        for (one, other, wanted, expected) in [
            ("open", "shut", wanted(Some("garage_door"), None), Some(("open", Some("garage_door")))),
            ("shut", "open", wanted(None, Some("shut")), Some(("shut", None))),
            ("glass", "metal", wanted(None, Some("metal")), Some(("metal", None))),
            ("glass", "metal", wanted(Some("occupancy"), None), Some(("glass", Some("occupancy")))),
            ("glass", "metal", wanted(None, Some("paper")), None),
        ] {
            let two = Two::of(&[one, other], &wanted).map(|two| (two.on, two.device_class));
            assert_eq!(two, expected, "{one}, {other}, {wanted:?}");
        }
    }
}
