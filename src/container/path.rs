//! Parses cgroup paths.
//!
//! Only whole segments count, and of nested containers the innermost. The unit is the one of systemd itself: the
//! first segment below the slices. Deeper segments are of the unit or the container.

/// Digits of an id that serve as a name.
const DIGITS: usize = 12;

/// The runtime of a container, as far as its cgroup shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Runtime {
    Docker,
    Podman,
    Containerd,
    CriO,
    /// The runtime of a pod, which the path does not show.
    Kubernetes,
    Runc,
    Crun,
    /// LXC, LXD, Incus.
    Lxc,
    Nspawn,
}

impl Runtime {
    /// Its name, if known.
    pub(super) const fn name(self) -> Option<&'static str> {
        match self {
            Self::Docker => Some("docker"),
            Self::Podman => Some("podman"),
            Self::Containerd => Some("containerd"),
            Self::CriO => Some("cri-o"),
            Self::Kubernetes => None,
            Self::Runc => Some("runc"),
            Self::Crun => Some("crun"),
            Self::Lxc => Some("lxc"),
            Self::Nspawn => Some("nspawn"),
        }
    }
}

/// A container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Container {
    pub(super) runtime: Runtime,
    /// The name for [`Runtime::Lxc`] and [`Runtime::Nspawn`], which have no ids.
    pub(super) id: Box<[u8]>,
}

impl Container {
    pub(super) fn of(runtime: Runtime, id: &[u8]) -> Self {
        let id = id.into();
        Self { runtime, id }
    }

    /// Stands for a name: the first digits of an id, or the whole of another text.
    pub(super) fn short(&self) -> &[u8] {
        let end = if is_id(&self.id) {
            DIGITS
        } else {
            self.id.len()
        };
        self.id.get(..end).unwrap_or_default()
    }

    /// The whole id, if it has one.
    pub(super) fn whole(&self) -> Option<&[u8]> {
        (!matches!(self.runtime, Runtime::Lxc | Runtime::Nspawn)).then_some(&self.id)
    }
}

/// The meaning of a path.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Meaning {
    /// The container of this machine.
    pub(super) container: Option<Container>,
    /// The innermost container nested in it, as the outer one claims.
    pub(super) inner: Option<Container>,
    /// The UID of a pod, or the id of a podman pod.
    pub(super) pod: Option<String>,
    /// The UID or id of a pod within the container.
    pub(super) inner_pod: Option<String>,
    /// The unit of the machine's own systemd, or of a user's. A unit that an engine makes for a container is no unit
    /// here.
    pub(super) unit: Option<Box<[u8]>>,
    /// The unit of a systemd within the innermost container.
    pub(super) container_unit: Option<Box<[u8]>>,
    /// The user whose part of the tree it is in.
    pub(super) user: Option<u32>,
}

impl Meaning {
    pub(super) fn of(path: &[u8]) -> Self {
        let parts: Vec<&[u8]> = path.split(|byte| *byte == b'/').collect();
        let mut meaning = Self {
            unit: unit(&parts).map(Into::into),
            user: user(&parts),
            ..Self::default()
        };
        let mut may_be_pod = false;
        let mut before: &[u8] = b"";
        for (place, part) in parts.iter().enumerate() {
            may_be_pod |= *part == b".." || part.starts_with(b"kube");
            let mut pod = pod(part).filter(|_| may_be_pod);
            let rest = parts.get(place + 1..).unwrap_or_default();
            let is_inner = meaning.container.is_some();
            if let Some(found) = container(before, part, rest.first().copied().unwrap_or_default())
            {
                if found.runtime == Runtime::Podman {
                    pod = pod_of_podman(before);
                }
                meaning.container_unit = unit_within(rest);
                let known = if is_inner {
                    &mut meaning.inner
                } else {
                    &mut meaning.container
                };
                *known = Some(found);
            }
            let known = if is_inner {
                &mut meaning.inner_pod
            } else {
                &mut meaning.pod
            };
            *known = pod.or_else(|| known.take());
            before = part;
        }
        meaning
    }
}

/// Prefixes that engines write before a container's id, and whether only scopes have them.
const PREFIXES: [(&[u8], Runtime, bool); 6] = [
    (b"docker-", Runtime::Docker, true),
    (b"libpod-payload-", Runtime::Podman, false),
    (b"libpod-", Runtime::Podman, false),
    (b"cri-containerd-", Runtime::Containerd, true),
    (b"crio-", Runtime::CriO, false),
    (b"nerdctl-", Runtime::Containerd, true),
];

/// The container of a segment.
fn container(before: &[u8], part: &[u8], next: &[u8]) -> Option<Container> {
    let scope = part.strip_suffix(b".scope");
    let stem = scope.unwrap_or(part);
    for (prefix, runtime, is_scope) in PREFIXES {
        let id = stem.strip_prefix(prefix).filter(|id| is_id(id));
        if let Some(id) = id.filter(|_| scope.is_some() || !is_scope) {
            return Some(Container::of(runtime, id));
        }
    }
    let known = if is_id(part) {
        let is_of_pod = pod(before).is_some();
        let colon = is_of_pod.then_some(Runtime::Kubernetes);
        colon.or((before == b"docker").then_some(Runtime::Docker))
    } else {
        None
    };
    if let Some(runtime) = known {
        return Some(Container::of(runtime, part));
    }
    // `SLICE:cri-containerd:ID` is the systemd driver's notation, found where the other driver is configured.
    let mut colons = part.rsplitn(3, |byte| *byte == b':');
    if let (Some(id), Some(b"cri-containerd"), Some(_)) =
        (colons.next(), colons.next(), colons.next())
        && is_id(id)
    {
        return Some(Container::of(Runtime::Containerd, id));
    }
    let lxc = part.strip_prefix(b"lxc.payload.").or_else(|| {
        let is_name = matches!(before, b"lxc" | b"lxc.payload") && !part.starts_with(b"lxc.");
        is_name.then_some(part)
    });
    if let Some(name) = lxc.filter(|name| !name.is_empty() && *name != b"..") {
        return Some(Container::of(Runtime::Lxc, name));
    }
    let machine = scope.and_then(|stem| stem.strip_prefix(b"machine-"));
    let service = part.strip_suffix(b".service");
    let service = service.and_then(|stem| stem.strip_prefix(b"systemd-nspawn@"));
    let name = unescaped(machine.or(service)?);
    // A supervisor is a process of the machine itself, and a virtual machine is no container.
    let is_around = next == b"supervisor" || name.starts_with(b"qemu-");
    (!name.is_empty() && !is_around).then(|| Container::of(Runtime::Nspawn, &name))
}

/// True for 64 hexadecimal digits, the ids of docker, podman and the Kubernetes engines.
pub(super) fn is_id(text: &[u8]) -> bool {
    text.len() == 64
        && text
            .iter()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// The UID of a pod: `podUID`, or `kubepods[-QOS]-podUID.slice` with `_` for `-`.
fn pod(part: &[u8]) -> Option<String> {
    let text = str::from_utf8(part).ok()?;
    let uid = match text.strip_suffix(".slice") {
        Some(slice) if slice.contains("kubepods-") => slice.rsplit_once("-pod")?.1,
        Some(_) => return None,
        None => {
            // `kubepods-burstable-podUID.slice:cri-containerd:ID`
            let slice = text.split_once(".slice:").map(|(slice, _)| slice);
            match slice.filter(|slice| slice.contains("kubepods-")) {
                Some(slice) => slice.rsplit_once("-pod")?.1,
                None => text.strip_prefix("pod")?,
            }
        }
    };
    let uid = uid.replace('_', "-");
    let is_uid = |byte: u8| byte.is_ascii_hexdigit() || byte == b'-';
    (matches!(uid.len(), 32 | 36) && uid.bytes().all(is_uid)).then_some(uid)
}

/// The id of a podman pod, whose cgroup has its containers: `ID`, or `machine-libpod_pod_ID.slice`.
fn pod_of_podman(part: &[u8]) -> Option<String> {
    let text = str::from_utf8(part).ok()?;
    let slice = text.strip_suffix(".slice");
    let slice = slice.and_then(|stem| stem.split_once("libpod_pod_"));
    let id = slice.map_or(text, |(_, id)| id);
    is_id(id.as_bytes()).then(|| id.to_owned())
}

/// The first segment below the slices; in a user manager, the first below its slices.
fn unit<'p>(parts: &[&'p [u8]]) -> Option<&'p [u8]> {
    let is_slice = |part: &[u8]| part.ends_with(b".slice") || part.is_empty() || part == b"..";
    // systemd prefixes `_` if a name would collide with a kernel file.
    let name = |part: &'p [u8]| part.strip_prefix(b"_").unwrap_or(part);
    let mut below = parts.iter().copied().skip_while(|part| is_slice(part));
    let unit = below.next().map(name).filter(|part| is_unit(part))?;
    if !unit.starts_with(b"user@") {
        return Some(unit).filter(|unit| !is_of_container(unit));
    }
    let inner = below.find(|part| !is_slice(part)).map(name);
    let inner = inner.filter(|part| is_unit(part) && *part != b"init.scope");
    Some(inner.unwrap_or(unit)).filter(|unit| !is_of_container(unit))
}

/// The unit of a systemd in a container, from the rest of the path; `payload` of nspawn and `container` of podman are
/// skipped.
pub(super) fn unit_within(rest: &[&[u8]]) -> Option<Box<[u8]>> {
    let is_between = matches!(rest.first(), Some(&(b"payload" | b"container")));
    let rest = rest.get(usize::from(is_between)..).unwrap_or_default();
    unit(rest).map(Into::into)
}

/// True for a scope named after a container: `docker-ID.scope`, `libpod-conmon-ID.scope`.
fn is_of_container(unit: &[u8]) -> bool {
    let stem = unit.strip_suffix(b".scope").unwrap_or_default();
    let engines = PREFIXES.iter().map(|(prefix, ..)| *prefix);
    let mut engines = engines.chain([b"libpod-conmon-".as_slice(), b"crio-conmon-"]);
    engines.any(|prefix| stem.strip_prefix(prefix).is_some_and(is_id))
}

/// The user of `user-1000.slice`, which systemd makes for that user alone.
fn user(parts: &[&[u8]]) -> Option<u32> {
    let [b"", b"user.slice", slice, ..] = parts else {
        return None;
    };
    let number = slice.strip_prefix(b"user-")?.strip_suffix(b".slice")?;
    str::from_utf8(number).ok()?.parse().ok()
}

/// True for a name of a unit type with processes.
fn is_unit(name: &[u8]) -> bool {
    let kinds: [&[u8]; 5] = [b".service", b".scope", b".socket", b".mount", b".swap"];
    let stem = kinds.iter().find_map(|kind| name.strip_suffix(*kind));
    let is_valid = |byte: &u8| byte.is_ascii_alphanumeric() || b":-_.\\@".contains(byte);
    stem.is_some_and(|stem| !stem.is_empty() && name.len() < 256 && name.iter().all(is_valid))
}

/// Decodes systemd's escapes: `\x2d`.
fn unescaped(text: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    let mut rest = text;
    while let [first, after @ ..] = rest {
        let digits = rest.strip_prefix(br"\x").and_then(|rest| rest.get(..2));
        let code =
            digits.and_then(|digits| u8::from_str_radix(str::from_utf8(digits).ok()?, 16).ok());
        if let Some(code) = code.filter(|code| *code != 0) {
            plain.push(code);
            rest = rest.get(4..).unwrap_or_default();
        } else {
            plain.push(*first);
            rest = after;
        }
    }
    plain
}

#[cfg(test)]
mod tests;
