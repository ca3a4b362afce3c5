//! Keys of what follows training: scales that are trained last, members that are dropped.

use super::PruneMembers;
use super::check::Values;
use super::sections::Sections;
use crate::method::Method;

/// Scales that are trained last need some, and rows that judge them.
pub(super) fn scales(r: &Sections, v: &mut Values<'_>) {
    let (Some(m), Some(t)) = (&r.method, &r.train) else { return };
    let Some(after) = &t.scales_after else { return };
    let key = "train.scales_after";
    let has_scales = matches!(m.network(), Method::Rank1(m) if m.posterior.n_scales(1) == 1);
    v.need(has_scales, key, "a rank1 method whose posterior has trained scales beside this key", m.label());
    let searches = r.search.as_ref().is_some_and(|search| !search.is_empty());
    let rule = "no [search] beside this key: its winner is trained on the validation rows too";
    v.need(!searches, key, rule, "one");
    v.need(t.early_stopping.is_some(), key, "train.early_stopping beside this key", "none");
    v.need(after.steps > 0, "train.scales_after.steps", "at least 1", after.steps);
    let rate = after.learning_rate;
    v.need(rate > 0.0 && rate.is_finite(), "train.scales_after.learning_rate", "a number above 0", rate);
    let all = after.multiples.iter().all(|m| *m > 0.0 && m.is_finite());
    let got = format!("{:?}", after.multiples);
    v.need(all, "train.scales_after.multiples", "numbers above 0", got);
}

/// Members that are dropped need others that stay, and rows that judge them.
pub(super) fn pruning(r: &Sections, v: &mut Values<'_>) {
    let (Some(m), Some(t)) = (&r.method, &r.train) else { return };
    let Some(prune) = t.prune_members else { return };
    let key = "train.prune_members";
    let members = m.n_members();
    v.need(
        members > 1,
        key,
        "a rank1 or batch_ensemble method of several members beside this key",
        m.label(),
    );
    if let PruneMembers::To(kept) = prune {
        let fewer = (1..members.max(2)).contains(&kept);
        v.need(fewer, key, "`\"auto\"`, or at least 1 and fewer than method.members", kept);
    }
    let searches = r.search.as_ref().is_some_and(|search| !search.is_empty());
    let rule = "no [search] beside this key: its winner is trained on the validation rows too";
    v.need(!searches, key, rule, "one");
    v.need(
        t.early_stopping.is_some(),
        key,
        "train.early_stopping beside this key: members are chosen on validation rows",
        "none",
    );
}
