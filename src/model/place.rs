//! Where the processes of a socket run: containers, pods, units.

use std::collections::BTreeMap;

use super::named;

named! {
    /// A fact about a place, under the name of its field.
    pub enum Fact {
        /// The name of the container, or the beginning of its id.
        Container = "container",
        /// The whole id of the container, if its engine assigns ids.
        ContainerId = "container_id",
        /// The engine that runs the container.
        Runtime = "runtime",
        /// The image of the container.
        Image = "image",
        /// The project of Docker Compose.
        ComposeProject = "compose_project",
        /// The service in that project.
        ComposeService = "compose_service",
        /// The name of the pod, or its UID.
        Pod = "pod",
        /// The namespace of the pod.
        PodNamespace = "pod_namespace",
        /// The UID of the pod; for podman its id.
        PodUid = "pod_uid",
        /// The systemd unit.
        Unit = "unit",
        /// The unit of a systemd inside the container.
        ContainerUnit = "container_unit",
    }
}

/// The facts about one or more processes; several values are separated by commas. Values are raw and must be
/// escaped on output.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Place(BTreeMap<Fact, Box<[u8]>>);

impl Place {
    /// The value of a fact, if known.
    pub fn get(&self, fact: Fact) -> Option<&[u8]> {
        self.0.get(&fact).map(|known| &**known)
    }

    /// Adds a value that is not there yet. Commas in it are escaped: they separate values.
    pub fn add(&mut self, fact: Fact, found: Option<impl AsRef<[u8]>>) {
        if let Some(found) = found {
            let parts: Vec<&[u8]> = found.as_ref().split(|byte| *byte == b',').collect();
            let clean = || parts.join(br"\x2c".as_slice()).into();
            self.0.entry(fact).or_insert_with(clean);
        }
    }

    /// Removes a fact.
    pub fn remove(&mut self, fact: Fact) {
        self.0.remove(&fact);
    }

    /// Appends the name of an inner container: `OUTER:INNER`.
    pub fn nest(&mut self, fact: Fact, within: Option<impl AsRef<[u8]>>) {
        match (self.0.remove(&fact), within) {
            (Some(outer), Some(within)) => {
                self.add(fact, Some([&*outer, b":", within.as_ref()].concat()));
            }
            (None, within) => self.add(fact, within),
            (outer, None) => self.add(fact, outer),
        }
    }

    /// Merges two places.
    #[must_use]
    pub fn with(mut self, other: &Self) -> Self {
        for (fact, found) in &other.0 {
            let known = self.0.entry(*fact).or_default();
            let mut parts = known.split(|byte| *byte == b',');
            if known.is_empty() {
                known.clone_from(found);
            } else if !parts.any(|part| part == &**found) {
                *known = [known, b",".as_slice(), found].concat().into();
            }
        }
        self
    }

    /// The facts that both places share.
    #[must_use]
    pub fn common(mut self, other: &Self) -> Self {
        self.0
            .retain(|fact, found| other.0.get(fact) == Some(found));
        self
    }

    /// True if it is in a container or a pod.
    pub fn is_contained(&self) -> bool {
        self.0.contains_key(&Fact::Container) || self.0.contains_key(&Fact::Pod)
    }
}
