//! The `date_saved` of `metadata.json`.

/// The time as Keras writes it.
#[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
pub(super) fn now() -> String {
    let since = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    date(since.as_secs())
}

/// There is no clock.
#[cfg(all(target_family = "wasm", target_os = "unknown"))]
pub(super) fn now() -> String {
    date(0)
}

/// `2026-01-31@12:00:00`, from seconds since 1970, in UTC.
fn date(seconds: u64) -> String {
    let (days, time) = (seconds / 86_400, seconds % 86_400);
    let is_leap = |y: u64| y.is_multiple_of(4) && (!y.is_multiple_of(100) || y.is_multiple_of(400));
    let (mut year, mut day) = (1970, days);
    loop {
        let length = if is_leap(year) { 366 } else { 365 };
        if day < length {
            break;
        }
        day -= length;
        year += 1;
    }
    let february = if is_leap(year) { 29 } else { 28 };
    let mut month = 1;
    for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if day < length {
            break;
        }
        day -= length;
        month += 1;
    }
    let (hours, minutes, seconds) = (time / 3600, time / 60 % 60, time % 60);
    format!("{year:04}-{month:02}-{:02}@{hours:02}:{minutes:02}:{seconds:02}", day + 1)
}

#[test]
fn dates_are_keras_s() {
    assert_eq!(date(0), "1970-01-01@00:00:00");
    assert_eq!(date(951_827_696), "2000-02-29@12:34:56");
    assert_eq!(date(1_798_761_599), "2026-12-31@23:59:59");
}
