//! Wrong passwords cost time: after a few, each one doubles how long the next has to wait, for the address that it came from
//! and, more mildly, for everybody. Links are not held up: whoever has one gets in while somebody else guesses.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What is forgiven, and how long one has to wait then.
#[derive(Debug)]
struct Rule {
    /// So many wrong passwords cost nothing.
    free: u32,
    /// The longest delay.
    longest: Duration,
}

const OF_ADDRESS: Rule = Rule { free: 3, longest: Duration::from_mins(15) };
const OF_ALL: Rule = Rule { free: 30, longest: Duration::from_mins(1) };
/// The first delay.
const FIRST: Duration = Duration::from_secs(1);
/// Wrong passwords are forgotten after this time without another.
const MEMORY: Duration = Duration::from_hours(1);
/// So many addresses are remembered; from others, attempts count for everybody together.
const ADDRESSES: usize = 1024;

/// The wrong passwords of somebody.
#[derive(Clone, Copy, Debug)]
struct Strikes {
    count: u32,
    last: Instant,
}

impl Rule {
    /// How long whoever has these must still wait.
    fn wait(&self, strikes: Option<&Strikes>, now: Instant) -> Option<Duration> {
        let Strikes { count, last } = strikes?;
        let over = count.checked_sub(self.free)?;
        let delay = FIRST.saturating_mul(1_u32.checked_shl(over).unwrap_or(u32::MAX)).min(self.longest);
        (*last + delay).checked_duration_since(now).filter(|left| !left.is_zero())
    }
}

/// The wrong passwords of the last hour.
#[derive(Debug, Default)]
pub(super) struct Lockout(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    addresses: HashMap<IpAddr, Strikes>,
    all: Option<Strikes>,
}

impl Lockout {
    /// Counts an attempt as failed before it is looked at, so that a hundred at once are not one; [`Lockout::forgive`] takes
    /// that back.
    ///
    /// # Errors
    /// How long to wait.
    pub(super) fn attempt(&self, address: IpAddr, now: Instant) -> Result<(), Duration> {
        let address = network(address);
        self.with(now, |known| {
            let waits = [OF_ADDRESS.wait(known.addresses.get(&address), now), OF_ALL.wait(known.all.as_ref(), now)];
            if let Some(longest) = waits.into_iter().flatten().max() {
                return Err(longest);
            }
            if known.addresses.len() < ADDRESSES || known.addresses.contains_key(&address) {
                strike(known.addresses.entry(address).or_insert(Strikes { count: 0, last: now }), now);
            }
            strike(known.all.get_or_insert(Strikes { count: 0, last: now }), now);
            Ok(())
        })
    }

    /// The attempt was right: its address starts afresh, and it does not count.
    pub(super) fn forgive(&self, address: IpAddr, now: Instant) {
        self.with(now, |known| {
            known.addresses.remove(&network(address));
            if let Some(all) = &mut known.all {
                all.count = all.count.saturating_sub(1);
            }
        });
    }

    fn with<T>(&self, now: Instant, job: impl FnOnce(&mut Known) -> T) -> T {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = |strikes: &Strikes| now.saturating_duration_since(strikes.last) < MEMORY;
        known.addresses.retain(|_, strikes| fresh(strikes));
        known.all = known.all.filter(fresh);
        job(&mut known)
    }
}

fn strike(strikes: &mut Strikes, now: Instant) {
    *strikes = Strikes { count: strikes.count.saturating_add(1), last: now };
}

/// Whoever has one address of IPv6 has all of its /64.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) if !v6.is_loopback() => Ipv6Addr::from_bits(v6.to_bits() & (u128::MAX << 64)).into(),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u32) -> IpAddr {
        IpAddr::V4((0x0a00_0000 + last).into())
    }

    /// Fails until it has to wait, and gives how long.
    fn wait(lockout: &Lockout, address: IpAddr, now: Instant) -> Duration {
        (0..100).find_map(|_| lockout.attempt(address, now).err()).expect("it has to wait")
    }

    #[test]
    fn a_few_mistakes_cost_nothing_and_then_the_delay_doubles() {
        let (lockout, mut now) = (Lockout::default(), Instant::now());
        for _ in 0..OF_ADDRESS.free {
            assert_eq!(lockout.attempt(address(1), now), Ok(()));
        }
        let mut delays = Vec::new();
        for _ in 0..12 {
            let delay = wait(&lockout, address(1), now);
            assert_eq!(lockout.attempt(address(1), now + delay / 4), Err(delay * 3 / 4), "waiting counts");
            now += delay;
            assert_eq!(lockout.attempt(address(1), now), Ok(()), "after the delay");
            delays.push(delay.as_secs());
        }
        assert_eq!(delays, [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900]);
    }

    #[test]
    fn one_address_does_not_lock_out_another() {
        let (lockout, now) = (Lockout::default(), Instant::now());
        wait(&lockout, address(1), now);
        assert_eq!(lockout.attempt(address(2), now), Ok(()));
    }

    #[test]
    fn many_addresses_together_are_slowed_down_but_never_for_long() {
        let (lockout, now) = (Lockout::default(), Instant::now());
        let ok = (0..100).take_while(|i| lockout.attempt(address(*i), now).is_ok()).count();
        assert_eq!(ok, OF_ALL.free as usize);
        let mut later = now;
        for i in 100..200 {
            later += OF_ALL.longest;
            assert_eq!(lockout.attempt(address(i), later), Ok(()));
        }
        assert_eq!(lockout.attempt(address(300), later).unwrap_err(), OF_ALL.longest);
    }

    #[test]
    fn the_right_password_and_time_are_forgiving() {
        let (lockout, now) = (Lockout::default(), Instant::now());
        for _ in 0..10 * OF_ALL.free {
            assert_eq!(lockout.attempt(address(1), now), Ok(()));
            lockout.forgive(address(1), now);
        }
        wait(&lockout, address(1), now);
        let later = now + MEMORY;
        for _ in 0..OF_ADDRESS.free {
            assert_eq!(lockout.attempt(address(1), later), Ok(()));
        }
    }

    #[test]
    fn the_memory_is_bounded() {
        let (lockout, mut now) = (Lockout::default(), Instant::now());
        for i in 0..3000 {
            now += OF_ALL.longest / 60;
            let _ = lockout.attempt(address(i), now);
        }
        assert!(lockout.0.lock().unwrap().addresses.len() <= ADDRESSES);
    }

    #[test]
    fn the_addresses_of_one_network_are_one() {
        let (lockout, now) = (Lockout::default(), Instant::now());
        wait(&lockout, "2001:db8::1".parse().unwrap(), now);
        assert!(lockout.attempt("2001:db8::2".parse().unwrap(), now).is_err());
        assert!(lockout.attempt("2001:db8:0:1::1".parse().unwrap(), now).is_ok());
        wait(&lockout, "::ffff:192.0.2.1".parse().unwrap(), now);
        assert!(lockout.attempt("192.0.2.1".parse().unwrap(), now).is_err());
    }
}
