//! Whether the processor is too hot, or slowed down for heat or want of power. Reads what Linux says; decides from text.

use std::fs;
use std::path::Path;

/// At this temperature nothing is begun that nobody asked for, Celsius.
const HOT_C: f64 = 80.0;

/// The bits of the Raspberry Pi's firmware that are true now: too little power, frequency capped, throttled, soft limit.
const THROTTLED: u32 = 0b1111;

/// Why it is too hot, if it is. `sys` is `/sys`.
pub(super) fn heat(sys: &Path) -> Option<String> {
    let zones = fs::read_dir(sys.join("class/thermal")).into_iter().flatten().flatten();
    let zones = zones.filter(|zone| zone.file_name().to_string_lossy().starts_with("thermal_zone"));
    let read = |path: &Path| fs::read_to_string(path).ok();
    let hottest = zones.filter_map(|zone| millidegrees(&read(&zone.path().join("temp"))?)).fold(f64::MIN, f64::max);
    if hottest >= HOT_C {
        return Some(format!("the processor has {hottest:.0} °C, {HOT_C:.0} °C is the limit"));
    }
    let throttled = read(&sys.join("devices/platform/soc/soc:firmware/get_throttled"))?;
    let bits = u32::from_str_radix(throttled.trim().trim_start_matches("0x"), 16).ok()?;
    (bits & THROTTLED != 0).then(|| "the processor is slowed down, for heat or want of power".to_owned())
}

/// A temperature; what no processor has is a sensor that is off.
fn millidegrees(text: &str) -> Option<f64> {
    let degrees = text.trim().parse::<f64>().ok()? / 1000.0;
    (-50.0..150.0).contains(&degrees).then_some(degrees)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    #[test]
    fn the_hottest_zone_counts_and_the_firmware_of_a_pi_is_asked() {
        let sys = tempfile::tempdir().unwrap();
        let zone = |number: u32, text: &str| {
            let zone = sys.path().join(format!("class/thermal/thermal_zone{number}"));
            fs::create_dir_all(&zone).unwrap();
            fs::write(zone.join("temp"), text).unwrap();
        };
        assert_eq!(heat(sys.path()), None);
        zone(0, "45000\n");
        zone(1, "-274000\n");
        assert_eq!(heat(sys.path()), None);
        zone(1, "81400\n");
        assert_eq!(heat(sys.path()).as_deref(), Some("the processor has 81 °C, 80 °C is the limit"));
        zone(1, "79000\n");
        let firmware = sys.path().join("devices/platform/soc/soc:firmware");
        fs::create_dir_all(&firmware).unwrap();
        fs::write(firmware.join("get_throttled"), "50000\n").unwrap();
        assert_eq!(heat(sys.path()), None, "it was once, and is not now");
        fs::write(firmware.join("get_throttled"), "0x50005\n").unwrap();
        assert!(heat(sys.path()).is_some_and(|why| why.contains("slowed down")));
    }
}
