//! Where the processes of a socket run.

/// Of several processes each place once, separated by commas. Names are as they were found: whoever writes
/// them escapes them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Place {
    /// The name of the container, else the beginning of its id.
    pub container: Option<Box<[u8]>>,
    /// The name of the pod, else its UID.
    pub pod: Option<Box<[u8]>>,
    /// The unit of systemd.
    pub unit: Option<Box<[u8]>>,
    /// The image that the container was made from.
    pub image: Option<Box<[u8]>>,
}

impl Place {
    /// This place and another one.
    #[must_use]
    pub fn with(mut self, other: &Self) -> Self {
        add(&mut self.container, other.container.as_deref());
        add(&mut self.pod, other.pod.as_deref());
        add(&mut self.unit, other.unit.as_deref());
        add(&mut self.image, other.image.as_deref());
        self
    }
}

fn add(names: &mut Option<Box<[u8]>>, other: Option<&[u8]>) {
    let Some(other) = other else {
        return;
    };
    match names {
        None => *names = Some(other.into()),
        Some(known) => {
            let mut parts = known.split(|byte| *byte == b',');
            if !parts.any(|part| part == other) {
                *known = [known, b",".as_slice(), other].concat().into();
            }
        }
    }
}
