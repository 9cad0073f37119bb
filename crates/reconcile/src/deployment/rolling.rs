//! The rolling update: the new ReplicaSet grows within the surge, old ones shrink as availability allows.

use super::{Look, sets};

impl Look<'_> {
    pub(super) fn roll(&mut self) {
        let Some(new) = self.sets.new.clone() else {
            self.create_set();
            return;
        };
        let size =
            if sets::replicas(&new) > self.replicas() { self.replicas() } else { self.new_size() };
        if size != sets::replicas(&new) {
            self.resize(&new, size);
        }
        if self.actions.is_empty() {
            self.shrink_old();
        }
    }

    fn shrink_old(&mut self) {
        let old = self.sets.active_old();
        let Some(new) = self.sets.new.clone() else { return };
        if old.is_empty() {
            return;
        }
        let least_available = self.replicas() - self.paces().1;
        let all = sets::sum(self.sets.all().map(|set| sets::replicas(set)));
        // Pods of the new template that do not serve yet must not cost an old one that does.
        let new_unavailable = sets::replicas(&new).saturating_sub(sets::available(&new));
        let mut room = all.saturating_sub(least_available).saturating_sub(new_unavailable);
        if room <= 0 {
            return;
        }
        let mut sizes: Vec<i32> = old.iter().map(|set| sets::replicas(set)).collect();
        // First what does not serve anyway.
        for (set, size) in old.iter().zip(&mut sizes) {
            let idle = size.saturating_sub(sets::available(set)).clamp(0, room);
            *size -= idle;
            room -= idle;
        }
        // Then what serves, while enough others do.
        let available = sets::sum(self.sets.all().map(|set| sets::available(set)));
        let mut spare = available.saturating_sub(least_available);
        for size in &mut sizes {
            let less = (*size).min(spare.max(0));
            *size -= less;
            spare -= less;
        }
        for (set, size) in old.iter().zip(sizes) {
            if size != sets::replicas(set) {
                self.resize(set, size);
            }
        }
    }
}
