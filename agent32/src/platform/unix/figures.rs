//! What `/proc` says of this process.

use crate::platform::Figures;

/// The end of a 32-bit process's addresses on a 64-bit kernel: two pages before 4 GB (Linux, arch/x86, `IA32_PAGE_OFFSET`).
const END_WIDE: u64 = 0xffff_e000;

/// The same on a 32-bit kernel, and with the personality `ADDR_LIMIT_3GB`.
const END_NARROW: u64 = 0xc000_0000;

/// The lowest address that is given out (`vm.mmap_min_addr`, as every distribution has it).
const START: u64 = 0x1_0000;

/// Looks at this process.
pub fn figures() -> Figures {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    // One of them is the folder itself, while it is read.
    let handles = std::fs::read_dir("/proc/self/fd").ok().map(|entries| entries.count().saturating_sub(1) as u64);
    let space = if cfg!(target_pointer_width = "32") { maps().and_then(|maps| space(&maps)) } else { None };
    Figures {
        address_space_bytes: space.map(|space| space.taken),
        largest_free_bytes: space.map(|space| space.largest_free),
        handles,
        threads: status.lines().find_map(|line| line.strip_prefix("Threads:")?.trim().parse().ok()),
        gdi_objects: None,
        user_objects: None,
    }
}

fn maps() -> Option<String> {
    std::fs::read_to_string("/proc/self/maps").ok()
}

/// How the address space is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Space {
    taken: u64,
    largest_free: u64,
}

/// Reads the mappings of a 32-bit process, which the kernel lists by address (proc(5)).
fn space(maps: &str) -> Option<Space> {
    let ranges: Vec<(u64, u64)> = maps.lines().map(range).collect::<Option<_>>()?;
    // The stack of the first thread lies at the very end: it tells where that is.
    let last = ranges.last()?.1;
    let end = if last > END_NARROW { END_WIDE } else { END_NARROW };
    let taken = ranges.iter().map(|(start, end)| end - start).sum();
    let mut largest_free = 0;
    let mut free_from = START;
    for (start, stop) in ranges.into_iter().chain([(end, end)]) {
        largest_free = largest_free.max(start.saturating_sub(free_from));
        free_from = free_from.max(stop);
    }
    Some(Space { taken, largest_free })
}

/// `08048000-08056000 r-xp …`
fn range(line: &str) -> Option<(u64, u64)> {
    let (start, end) = line.split_once(' ')?.0.split_once('-')?;
    let (start, end) = (u64::from_str_radix(start, 16).ok()?, u64::from_str_radix(end, 16).ok()?);
    (start <= end).then_some((start, end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_gap_is_found_wherever_it_lies() {
        let wide = "56600000-56700000 r-xp 00000000 00:00 0 /agent32\nf7c00000-f7e00000 rw-p 00000000 00:00 0\n\
                    ffe00000-ffe21000 rw-p 00000000 00:00 0 [stack]\n";
        let taken = 0x10_0000 + 0x20_0000 + 0x2_1000;
        assert_eq!(space(wide), Some(Space { taken, largest_free: 0xf7c0_0000 - 0x5670_0000 }));
        let below = "40000000-bff00000 r-xp 0 0 0\n";
        assert_eq!(space(below).unwrap().largest_free, 0x4000_0000 - START);
        let above = "00010000-50000000 r-xp 0 0 0\n";
        assert_eq!(space(above).unwrap().largest_free, END_NARROW - 0x5000_0000);
        let above_wide = "00010000-c1000000 r-xp 0 0 0\n";
        assert_eq!(space(above_wide).unwrap().largest_free, END_WIDE - 0xc100_0000);
    }

    #[test]
    fn a_full_address_space_has_nothing_free() {
        let full = "00001000-80000000 r-xp 0 0 0\n80000000-ffffe000 r-xp 0 0 0\n";
        assert_eq!(space(full).unwrap().largest_free, 0);
        assert_eq!(space("00000000-fffff000 r-xp 0 0 0\n").unwrap().largest_free, 0);
    }

    #[test]
    fn what_is_no_list_of_mappings_gives_no_figures() {
        for text in ["", "x", "1-0 r", "08048000 r-xp", "zz-zz r-xp", "00010000-50000000"] {
            assert_eq!(space(text), None, "{text}");
        }
    }

    #[test]
    fn this_processs_own_mappings_can_be_read() {
        assert!(maps().unwrap().lines().all(|line| range(line).is_some()));
    }
}
