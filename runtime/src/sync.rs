//! Heads that travel: signed by who fitted them, admitted by who takes them in. Knows no transport: bytes in, verdicts out.
//!
//! ```text
//! here    head in service ─▶ statement (who, what, for what, until when) ─▶ signed head ─▶ manifest and parts
//! there   manifest ─▶ admission ─▶ assembler (parts, in any order) ─▶ signed head ─▶ admission ─▶ self-test
//!                   ─▶ the local judgement ─▶ a new generation in service, or a refusal with its reason
//! ```
//!
//! | a transport | calls |
//! |---|---|
//! | sends the head in service | [`issue()`], then [`split`]: a manifest to be retained, and parts |
//! | hears a manifest, a part, the clock | [`Intake`]: what to ask for, what is whole, what is refused and why |
//! | has a whole one | the daemon's command `Install`, or [`weigh`] and [`Weighed::write_down`]; then [`Intake::done`] |
//!
//! Invariants: nothing is kept of what no trusted key has signed; whatever is refused, the head in service stays; what was seen of
//! a signer is never accepted in an older state again.

mod admission;
mod arrivals;
mod assembler;
mod envelope;
mod install;
mod intake;
mod issue;
mod key;
mod keyring;
mod manifest;
mod refusal;
mod self_test;
mod signed;
mod statement;

pub use admission::{Here, admit, admit_head};
pub use arrivals::{ArrivalError, Arrivals};
pub use assembler::{Assembler, Output, Part, QUIET, SLOTS, TOTAL};
pub use install::{InstallError, Weighed, here, issue_record, refused, weigh};
pub use intake::{Intake, IntakeError, Intaken};
pub use issue::{DAYS, IssueError, issue};
pub use key::{DeviceKey, KeyId, PublicKey};
pub use keyring::{KeyError, Keyring, Trusted};
pub use manifest::{Manifest, Parts, TooLargeForPackets, split};
pub use refusal::Refusal;
pub use self_test::SelfTest;
pub use signed::{MAX_BYTES, SignedHead, sign};
pub use statement::{Issue, Statement};

#[cfg(test)]
pub(crate) mod tests;
