//! Clients that call at the same time, and the random numbers by which they choose.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::ledger::Ledger;
use super::load::Job;
use super::verdict::Told;
use crate::client::Client;

/// Random numbers that can be had again (`SplitMix64`).
#[derive(Clone, Debug)]
pub struct Random {
    state: u64,
    stream: u32,
    tokens: u32,
}

impl Random {
    /// The numbers of one caller.
    pub fn new(seed: u64, stream: u32) -> Self {
        let state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (u64::from(stream) << 32);
        Self { state, stream, tokens: 0 }
    }

    /// A number that is smaller than that.
    pub fn below(&mut self, bound: u32) -> u32 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.state ^ (self.state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let high = (mixed ^ (mixed >> 31)) >> 32;
        u32::try_from((high * u64::from(bound)) >> 32).expect("it is below a u32")
    }

    /// A name that no other call has.
    pub fn token(&mut self) -> String {
        self.tokens += 1;
        format!("{}-{}", self.stream, self.tokens)
    }
}

/// A call that was made.
#[derive(Clone, Debug)]
pub struct Made {
    /// What was wanted.
    pub job: Job,
    /// What its client was told.
    pub told: Told,
    /// How long that took.
    pub took: Duration,
}

/// Has a call made and waits for its outcome.
pub fn make(client: &Client, ledger: &Ledger, job: Job, headers: &[(String, String)]) -> Made {
    let arguments = arguments(ledger, &job);
    let request = client.request("POST", &job.site.function(job.kind.function));
    let started = Instant::now();
    let answer = request.body("application/json", arguments.to_string()).headers(headers).try_send();
    Made { told: Told::of(&answer), took: started.elapsed(), job }
}

/// Has calls of one library made as a batch, and waits for their outcomes.
pub fn make_batch(client: &Client, ledger: &Ledger, jobs: Vec<Job>) -> Vec<Made> {
    let library = &jobs[0].site.library;
    let call = |job: &Job| json!({"function": job.kind.function, "args": arguments(ledger, job)});
    let calls: Vec<Value> = jobs.iter().map(call).collect();
    let request = client.request("POST", &format!("/v1/libraries/{library}/batches"));
    let started = Instant::now();
    let body = json!({"calls": calls, "stop_on_error": false}).to_string();
    let answer = request.body("application/json", body).try_send();
    let took = started.elapsed();
    let told = Told::of_batch(&answer, jobs.len());
    jobs.into_iter().zip(told).map(|(job, told)| Made { job, told, took }).collect()
}

fn arguments(ledger: &Ledger, job: &Job) -> Value {
    let mut arguments = job.arguments.clone();
    arguments["entry"] = Value::String(ledger.argument(&job.site, &job.token));
    arguments
}

/// Has `count` callers do the same, each with random numbers of its own, and gives what all of them bring.
pub fn together<T: Send>(count: u32, seed: u64, work: impl Fn(u32, Random) -> Vec<T> + Sync) -> Vec<T> {
    std::thread::scope(|scope| {
        let work = &work;
        let callers: Vec<_> =
            (0..count).map(|caller| scope.spawn(move || work(caller, Random::new(seed, caller)))).collect();
        callers.into_iter().flat_map(|caller| caller.join().expect("a caller does not panic")).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_below_their_bound_and_reach_all_of_it() {
        let mut random = Random::new(1, 2);
        let mut seen = [false; 10];
        for _ in 0..1000 {
            seen[random.below(10) as usize] = true;
        }
        assert_eq!(seen, [true; 10]);
    }
}
