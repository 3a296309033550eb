//! Finds steps that need one another in a circle.

use super::{Definition, reader::Reader};

/// Notes a cycle, if there is one.
pub(super) fn check(definition: &Definition, reader: &mut Reader) {
    if let Some(cycle) = find(definition) {
        let mut names: Vec<&str> = cycle
            .iter()
            .map(|&at| definition.steps[at].id.as_str())
            .collect();
        names.push(names[0]);
        let detail = format!("the steps need one another: {}", names.join(" → "));
        reader.refuse(format!("/steps/{}", cycle[0]), detail);
    }
}

/// The steps of a cycle, each needing the next and the last the first.
fn find(definition: &Definition) -> Option<Vec<usize>> {
    let steps = &definition.steps;
    let mut unmet: Vec<usize> = steps.iter().map(|step| step.needs.len()).collect();
    let mut free: Vec<usize> = (0..steps.len()).filter(|&at| unmet[at] == 0).collect();
    while let Some(at) = free.pop() {
        for &dependant in &steps[at].dependants {
            unmet[dependant] -= 1;
            if unmet[dependant] == 0 {
                free.push(dependant);
            }
        }
    }
    // Every step left needs another one left, so following those comes back to one seen before.
    let left = |at: &usize| unmet[*at] > 0;
    let mut path = vec![(0..steps.len()).find(left)?];
    loop {
        let next = *steps[*path.last()?].needs.iter().find(|&at| left(at))?;
        if let Some(start) = path.iter().position(|&at| at == next) {
            let mut cycle = path.split_off(start);
            let lowest = (0..cycle.len()).min_by_key(|&nth| cycle[nth])?;
            cycle.rotate_left(lowest);
            return Some(cycle);
        }
        path.push(next);
    }
}
