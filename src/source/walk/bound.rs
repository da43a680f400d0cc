//! Which network namespaces have TCP sockets that are only bound.
//!
//! To list those the kernel goes through every bound socket of the machine, once for each namespace that is asked.
//! A program goes through them once for all: only namespaces that may have some need be asked. It takes no locks, so
//! it proves of each bucket that it saw whatever was there for the whole time (what is new stands in front):
//!
//! - Each node must lead back to where it was found, before and after its successor is read. So both stood one
//!   behind the other in some chain.
//! - The last socket of a chain must belong to the address and port where the chain began, and a bucket that is gone
//!   through once more must have the same addresses and ports: nothing was moved into another chain meanwhile.
//!
//! What cannot be proven in a few attempts is told, and every namespace is asked then.

use std::collections::BTreeSet;
use std::io::{self, ErrorKind, Read};
use std::path::Path;

use zerocopy::IntoBytes as _;

use super::Walk;
use super::program::{
    BYTE, CAST, FUNCTION, GET_CURRENT_TASK_BTF, JIFFIES64, KEY, LONG, NUMBER, POINTER, REST,
    SEQ_WRITE, SHORT, TCP, WORD, size, within,
};
use crate::bpf::Size::{Eight, Four};
use crate::bpf::{
    self, Assembler, Btf, Condition, Hook, Instruction, Label, Malformed, Map, MapKind,
    Register as R, TypeKind, ValueKind,
};
use crate::error::Error;
use crate::model::State;
use crate::source::Request;

/// Elements, as a power of two: each is asked for a part of the table.
const SHIFT: u8 = 10;
/// How often a bucket is gone through.
const ATTEMPTS: i32 = 16;
/// In the place of a namespace: the program was run.
const BEGUN: u32 = u32::MAX;
/// In the place of a namespace: of some bucket nothing could be proven.
const UNPROVEN: u32 = 0;
/// The kernel never gives more at once.
const BUFFER: usize = 32 << 10;

const TABLE: &str = "inet_hashinfo";
const BUCKET_OF: &str = "inet_bind_hashbucket";
/// Sockets with one address and port.
const PORT: &str = "inet_bind2_bucket";

/// What the program reads and calls.
const WANTED: [(TypeKind, &str); 15] = [
    (TypeKind::Function, FUNCTION),
    (TypeKind::Function, CAST),
    (TypeKind::Struct, KEY),
    (TypeKind::Struct, "bpf_iter_meta"),
    (TypeKind::Struct, "task_struct"),
    (TypeKind::Struct, "nsproxy"),
    (TypeKind::Struct, "net"),
    (TypeKind::Struct, TABLE),
    (TypeKind::Struct, NUMBER[0]),
    (TypeKind::Struct, BUCKET_OF),
    (TypeKind::Struct, PORT),
    (TypeKind::Struct, "hlist_node"),
    (TypeKind::Struct, "sock_common"),
    (TypeKind::Struct, TCP),
    (TypeKind::Struct, REST),
];

/// The namespaces that have some, by inode number; `None` = any may.
#[derive(Debug)]
pub(in crate::source) struct BoundIn(Option<BTreeSet<u32>>);

impl BoundIn {
    /// Looks for them where they are wanted.
    pub(in crate::source) fn look(btf: &Path, request: &Request) -> Self {
        // Elsewhere what is read later may have been read earlier.
        let is_possible = cfg!(target_arch = "x86_64") && request.states.contains(State::Bound);
        Self(is_possible.then(|| networks(btf).ok().flatten()).flatten())
    }

    /// What is left to netlink where connections are walked, in such a namespace.
    pub(in crate::source) fn rest(&self, request: &Request, inode: u32) -> Request {
        let mut rest = Walk::without(request);
        if self.0.as_ref().is_some_and(|found| !found.contains(&inode)) {
            rest.states = rest.states.without(State::Bound);
        }
        rest
    }
}

/// # Errors
///
/// When the kernel does not let us look, or its types are not as they are known here.
fn networks(btf: &Path) -> Result<Option<BTreeSet<u32>>, Error> {
    let map = Map::new(MapKind::Elements, 1 << SHIFT)?;
    let (program, function) = bpf::describe(btf, &WANTED, |btf| {
        Ok((program(btf)?, btf.find(TypeKind::Function, FUNCTION)?))
    })?;
    let hook = Hook::Elements(function, map.descriptor());
    let link = bpf::attach("lsock_bound", &program, hook)?;
    let output = link.iterate().and_then(read);
    output.map_err(|cause| Error::bpf("look for bound sockets", cause))
}

fn read(mut output: impl Read) -> io::Result<Option<BTreeSet<u32>>> {
    let mut networks = BTreeSet::new();
    let mut buffer = vec![0_u32; BUFFER / 4];
    loop {
        match output.read(buffer.as_mut_bytes()) {
            Ok(0) => break,
            Ok(length) => networks.extend(buffer.iter().take(length / 4)),
            Err(cause) if cause.kind() == ErrorKind::Interrupted => {}
            Err(cause) => return Err(cause),
        }
    }
    let is_proven = networks.remove(&BEGUN) && !networks.remove(&UNPROVEN);
    Ok(is_proven.then_some(networks))
}

// What stands on the stack, from its end.
/// The bucket behind the last one of this part.
const END: i16 = -8;
const BASE: i16 = -16;
/// The address of the bucket's first link,
const HEAD: i16 = -24;
/// of the link that led to a node,
const LINK: i16 = -32;
/// of the first link to its sockets, of the one that led to a socket,
const OWNERS: i16 = -40;
const LINK_OF_SOCKET: i16 = -48;
/// and of the next one's node.
const NEXT: i16 = -56;
/// The sum of the nodes' addresses,
const SUM: i16 = -64;
/// and of the time before; 0 = there was none.
const BEFORE: i16 = -72;
/// Attempts that are left.
const ATTEMPT: i16 = -80;
/// The namespace that was told last.
const TOLD: i16 = -88;
const ZERO: i16 = -96;

// The registers that keep their values in calls.
const OUTPUT: R = R::R6;
/// The address of the node of what is bound to one address and port.
const NODE: R = R::R7;
/// The address of a socket's node.
const SOCKET: R = R::R8;
const BUCKET: R = R::R9;

/// `TCP_CLOSE` and `TCP_TIME_WAIT` (`include/net/tcp_states.h`).
const CLOSE: i32 = 7;
const TIME_WAIT: i32 = 6;

struct Writer<'b> {
    code: Assembler,
    btf: &'b Btf<'b>,
}

/// # Errors
///
/// When the kernel lacks something, which is named.
fn program(btf: &Btf<'_>) -> Result<Vec<Instruction>, Malformed> {
    let code = Assembler::default();
    let mut writer = Writer { code, btf };
    writer.walk()?;
    Ok(writer.code.finish())
}

impl Writer<'_> {
    fn walk(&mut self) -> Result<(), Malformed> {
        let [
            next_bucket,
            again,
            attempt,
            next_port,
            next_link,
            over,
            first,
            unproven,
            done,
        ] = [(); 9].map(|()| self.code.label());
        self.begin(done)?;
        self.code.place(next_bucket);
        self.code.jump(Condition::TooLong, unproven);
        self.get(R::R1, END);
        self.code.jump(Condition::Same(BUCKET, R::R1), done);
        self.code.copy(R::R1, BUCKET);
        self.code.add_number(BUCKET, 1);
        self.code.set(R::R2, self.btf.size(BUCKET_OF)?);
        self.code.multiply(R::R1, R::R2);
        self.get(R::R2, BASE);
        self.code.add_register(R::R1, R::R2);
        self.keep(HEAD, R::R1);
        self.number_at(NODE)?;
        self.code.jump(Condition::Is(NODE, 0), next_bucket);
        self.get(R::R1, ZERO);
        self.code.add_number(R::R1, ATTEMPTS);
        self.keep(ATTEMPT, R::R1);
        self.code.place(again);
        self.get(R::R1, ZERO);
        self.keep(BEFORE, R::R1);
        self.code.place(attempt);
        self.get(R::R1, ATTEMPT);
        self.code.jump(Condition::Is(R::R1, 0), unproven);
        self.code.add_number(R::R1, -1);
        self.keep(ATTEMPT, R::R1);
        self.get(R::R1, ZERO);
        self.keep(SUM, R::R1);
        self.get(R::R1, HEAD);
        self.keep(LINK, R::R1);
        self.code.place(next_port);
        self.code.jump(Condition::TooLong, unproven);
        self.get(R::R1, LINK);
        self.number_at(NODE)?;
        self.code.jump(Condition::Is(NODE, 0), over);
        self.test_back(NODE, LINK, again)?;
        self.get(R::R1, SUM);
        self.code.add_register(R::R1, NODE);
        self.keep(SUM, R::R1);
        self.get(R::R1, BEFORE);
        self.code.jump(Condition::IsNot(R::R1, 0), next_link);
        self.look_at_sockets(again, unproven)?;
        self.code.place(next_link);
        self.keep(LINK, NODE);
        self.code.jump(Condition::Always, next_port);
        self.code.place(over);
        self.get(R::R1, SUM);
        self.get(R::R2, BEFORE);
        self.code.jump(Condition::Same(R::R1, R::R2), next_bucket);
        self.code.jump(Condition::Is(R::R2, 0), first);
        self.code.jump(Condition::Always, again);
        self.code.place(first);
        self.keep(BEFORE, R::R1);
        self.code.jump(Condition::Always, attempt);
        self.code.place(unproven);
        self.code.set_unsigned(R::R1, UNPROVEN);
        self.tell();
        self.code.place(done);
        self.code.set(R::R0, 0);
        self.code.exit();
        Ok(())
    }

    /// Finds the table, and the part of it that this element stands for.
    fn begin(&mut self, done: Label) -> Result<(), Malformed> {
        self.code.copy(SOCKET, R::R1);
        // A zero of which the kernel does not know that it is one: with known numbers it would follow many more ways when it checks.
        self.code.call(JIFFIES64);
        self.code.copy(R::R1, R::R0);
        self.code.subtract(R::R0, R::R1);
        for place in (ZERO..0).step_by(8) {
            self.keep(place, R::R0);
        }
        self.load(R::R2, SOCKET, POINTER, [KEY, "key"])?;
        self.code.jump(Condition::Is(R::R2, 0), done);
        self.code.load(Four, BUCKET, R::R2, 0);
        self.load(R::R1, SOCKET, POINTER, [KEY, "meta"])?;
        self.load(OUTPUT, R::R1, POINTER, ["bpf_iter_meta", "seq"])?;
        let begin = self.code.label();
        self.code.jump(Condition::IsNot(BUCKET, 0), begin);
        self.code.set_unsigned(R::R1, BEGUN);
        self.tell();
        self.code.place(begin);
        self.code.call(GET_CURRENT_TASK_BTF);
        self.load(R::R1, R::R0, POINTER, ["task_struct", "nsproxy"])?;
        self.load(R::R1, R::R1, POINTER, ["nsproxy", "net_ns"])?;
        let table = ["net", "ipv4.tcp_death_row.hashinfo"];
        self.load(SOCKET, R::R1, POINTER, table)?;
        self.load(NODE, SOCKET, WORD, [TABLE, "bhash_size"])?;
        self.code.add_number(NODE, -1);
        // Buckets for each element; small tables have none for most.
        self.code.copy(R::R1, NODE);
        self.code.shift_down(R::R1, SHIFT.into());
        self.code.add_number(R::R1, 1);
        self.code.multiply(BUCKET, R::R1);
        self.code.jump(Condition::Above(BUCKET, NODE), done);
        self.code.add_register(R::R1, BUCKET);
        self.keep(END, R::R1);
        self.code.copy(R::R1, SOCKET);
        self.add(R::R1, [TABLE, "bhash2"])?;
        self.number_at(R::R1)?;
        self.add(R::R1, [BUCKET_OF, "chain.first"])?;
        self.keep(BASE, R::R1);
        Ok(())
    }

    /// A node must lead back to the link that led to it.
    fn test_back(&mut self, node: R, link: i16, again: Label) -> Result<(), Malformed> {
        self.code.copy(R::R1, node);
        self.add(R::R1, ["hlist_node", "pprev"])?;
        self.number_at(R::R1)?;
        self.get(R::R2, link);
        self.code.jump(Condition::Differ(R::R1, R::R2), again);
        Ok(())
    }

    /// Goes through the sockets of a node.
    fn look_at_sockets(&mut self, again: Label, unproven: Label) -> Result<(), Malformed> {
        let [next, other, last, over] = [(); 4].map(|()| self.code.label());
        let node = self.btf.offset(PORT, "node.next", POINTER)?;
        let owners = self.btf.offset(PORT, "owners.first", POINTER)?;
        self.code.copy(R::R1, NODE);
        self.code
            .add_number(R::R1, i32::from(owners) - i32::from(node));
        self.keep(OWNERS, R::R1);
        self.keep(LINK_OF_SOCKET, R::R1);
        self.number_at(SOCKET)?;
        self.code.jump(Condition::Is(SOCKET, 0), over);
        self.code.place(next);
        self.code.jump(Condition::TooLong, unproven);
        self.test_back(SOCKET, LINK_OF_SOCKET, again)?;
        self.socket()?;
        self.code.jump(Condition::IsNot(R::R2, CLOSE), other);
        self.of_socket(R::R2, SHORT, "skc_num")?;
        self.code.jump(Condition::Is(R::R2, 0), other);
        self.of_socket(R::R1, POINTER, "skc_net.net")?;
        self.load(R::R1, R::R1, WORD, ["net", "ns.inum"])?;
        // Those of one port are of one namespace.
        self.code.load(Four, R::R2, R::STACK, TOLD);
        self.code.jump(Condition::Same(R::R1, R::R2), other);
        self.tell();
        self.code.place(other);
        self.code.copy(R::R1, SOCKET);
        self.number_at(R::R1)?;
        self.keep(NEXT, R::R1);
        self.test_back(SOCKET, LINK_OF_SOCKET, again)?;
        self.get(R::R1, NEXT);
        self.code.jump(Condition::Is(R::R1, 0), last);
        self.keep(LINK_OF_SOCKET, SOCKET);
        self.code.copy(SOCKET, R::R1);
        self.code.jump(Condition::Always, next);
        self.code.place(last);
        self.test_last(i32::from(owners), again)?;
        self.code.place(over);
        Ok(())
    }

    /// The last socket must belong to this node.
    fn test_last(&mut self, owners: i32, again: Label) -> Result<(), Malformed> {
        let is_full = self.code.label();
        let own = self.btf.offset(TCP, &within("icsk_bind2_hash"), POINTER)?;
        let rest = self.btf.offset(REST, "tw_tb2", POINTER)?;
        self.socket()?;
        self.code.copy(R::R1, R::R0);
        self.code.add_number(R::R1, own.into());
        self.code.jump(Condition::IsNot(R::R2, TIME_WAIT), is_full);
        self.code
            .add_number(R::R1, i32::from(rest) - i32::from(own));
        self.code.place(is_full);
        self.number_at(R::R1)?;
        self.code.add_number(R::R1, owners);
        self.get(R::R2, OWNERS);
        self.code.jump(Condition::Differ(R::R1, R::R2), again);
        Ok(())
    }

    /// Loads the socket, and its state into the second register.
    fn socket(&mut self) -> Result<(), Malformed> {
        let node = self
            .btf
            .offset(TCP, &within("skc_bind_node.next"), POINTER)?;
        self.code.copy(R::R1, SOCKET);
        self.code.add_number(R::R1, -i32::from(node));
        self.cast(TCP)?;
        self.of_socket(R::R2, BYTE, "skc_state")
    }

    /// Writes the number in the first register.
    fn tell(&mut self) {
        self.code.store(Four, R::STACK, TOLD, R::R1);
        self.code.copy(R::R1, OUTPUT);
        self.code.copy(R::R2, R::STACK);
        self.code.add_number(R::R2, TOLD.into());
        self.code.set(R::R3, 4);
        self.code.call(SEQ_WRITE);
    }

    fn get(&mut self, into: R, place: i16) {
        self.code.load(Eight, into, R::STACK, place);
    }

    fn keep(&mut self, place: i16, from: R) {
        self.code.store(Eight, R::STACK, place, from);
    }

    fn of_socket(&mut self, into: R, value: ValueKind, path: &str) -> Result<(), Malformed> {
        self.load(into, R::R0, value, [TCP, &within(path)])
    }

    fn load(
        &mut self,
        into: R,
        from: R,
        value: ValueKind,
        [structure, path]: [&str; 2],
    ) -> Result<(), Malformed> {
        let offset = self.btf.offset(structure, path, value)?;
        self.code.load(size(value), into, from, offset);
        Ok(())
    }

    /// Makes the address of a structure that of a pointer in it.
    fn add(&mut self, to: R, [structure, path]: [&str; 2]) -> Result<(), Malformed> {
        let offset = self.btf.offset(structure, path, POINTER)?;
        self.code.add_number(to, offset.into());
        Ok(())
    }

    /// Takes the address in the first register for one of such a structure.
    fn cast(&mut self, structure: &str) -> Result<(), Malformed> {
        let number = self.btf.find(TypeKind::Struct, structure)?;
        self.code.set(R::R2, number.cast_signed());
        let cast = self.btf.find(TypeKind::Function, CAST)?;
        self.code.call_kernel(cast.cast_signed());
        Ok(())
    }

    /// Reads the number at the address in the first register.
    fn number_at(&mut self, into: R) -> Result<(), Malformed> {
        self.cast(NUMBER[0])?;
        self.load(into, R::R0, LONG, NUMBER)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]
mod tests {
    use super::{BEGUN, UNPROVEN, networks, read};
    use crate::bpf::BTF;
    use crate::skip::skip;
    use std::collections::BTreeSet;
    use std::path::Path;
    use zerocopy::IntoBytes as _;

    #[test]
    fn what_is_not_proven_may_be_anywhere() {
        for (told, found) in [
            (&[BEGUN][..], Some(BTreeSet::new())),
            (&[BEGUN, 7, 8, 7], Some(BTreeSet::from([7, 8]))),
            (&[BEGUN, 7, UNPROVEN], None),
            // The program was not run.
            (&[], None),
        ] {
            assert_eq!(read(told.as_bytes()).unwrap(), found);
        }
    }

    #[test]
    fn this_kernel_takes_the_program() {
        if let Err(error) = networks(Path::new(BTF)) {
            let text = error.chain();
            let is_denied = text.contains("not permitted") || text.contains("it has no ");
            assert!(is_denied || text.contains("cannot read"), "{text}");
            skip(text);
        }
    }
}
