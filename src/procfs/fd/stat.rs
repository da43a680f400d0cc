//! `/proc/PID/stat`: kernel threads, ending processes, names, parents and start times.

/// The task is ending (`PF_EXITING`, `include/linux/sched.h`). Once its memory is gone, even its own user may not
/// read it (`task_dump_owner`, `fs/proc/base.c`).
const PF_EXITING: u64 = 0x0000_0004;
/// The task is a kernel thread (`PF_KTHREAD`, likewise): it has no descriptors.
const PF_KTHREAD: u64 = 0x0020_0000;

/// True if `/proc/PID/stat` is of a kernel thread, or of a process that is ending or has ended. A process whose
/// first thread alone has ended does not count.
pub(super) fn cannot_hold_sockets(stat: &[u8]) -> bool {
    let Some((state, flags, threads)) = state_flags_threads(stat) else {
        return false;
    };
    flags & PF_KTHREAD != 0 || (ends(state, flags) && threads <= 1)
}

/// True if `/proc/PID/stat` is of a first thread that is ending or has ended, or is empty because it is gone.
pub fn is_ending(stat: &[u8]) -> bool {
    state_flags_threads(stat).is_none_or(|(state, flags, _)| ends(state, flags))
}

fn ends(state: &[u8], flags: u64) -> bool {
    flags & PF_EXITING != 0 || matches!(state, b"Z" | b"X")
}

/// True if `/proc/PID/stat` is of a kernel thread.
pub fn is_kernel_thread(stat: &[u8]) -> bool {
    state_flags_threads(stat).is_some_and(|(_, flags, _)| flags & PF_KTHREAD != 0)
}

/// The fields of `proc_pid_stat(5)` from the third on.
fn fields(stat: &[u8]) -> Option<impl Iterator<Item = &[u8]>> {
    // The name before them may contain blanks and parentheses.
    let end = stat.iter().rposition(|byte| *byte == b')')?;
    let fields = stat.get(end + 1..).unwrap_or_default();
    let fields = fields.split(u8::is_ascii_whitespace);
    Some(fields.filter(|field| !field.is_empty()))
}

/// Fields 3 (state), 9 (flags) and 20 (`num_threads`) of `proc_pid_stat(5)`.
fn state_flags_threads(stat: &[u8]) -> Option<(&[u8], u64, u64)> {
    let mut fields = fields(stat)?;
    let state = fields.next().unwrap_or_default();
    let flags = fields.nth(5).and_then(decimal).unwrap_or(0);
    let threads = fields.nth(10).and_then(decimal).unwrap_or(0);
    Some((state, flags, threads))
}

/// Field 2 (`comm`), which may contain parentheses.
pub fn comm(stat: &[u8]) -> &[u8] {
    let begin = stat.iter().position(|byte| *byte == b'(');
    let end = stat.iter().rposition(|byte| *byte == b')');
    let comm = begin
        .zip(end)
        .and_then(|(begin, end)| stat.get(begin + 1..end));
    comm.unwrap_or_default()
}

/// Field 4 (`ppid`) of `proc_pid_stat(5)`; `None` if there is no parent in this PID namespace.
pub fn parent(stat: &[u8]) -> Option<u32> {
    let parent = fields(stat)?.nth(1).and_then(decimal)?;
    u32::try_from(parent).ok().filter(|pid| *pid != 0)
}

/// Field 22 (`starttime`) of `proc_pid_stat(5)`: start of the process, in ticks since boot.
pub fn start_ticks(stat: &[u8]) -> Option<u64> {
    fields(stat)?.nth(19).and_then(decimal)
}

/// Parses digits only.
pub(super) fn decimal(text: &[u8]) -> Option<u64> {
    let with = |value: u64, byte: &u8| {
        let digit = byte.checked_sub(b'0').filter(|digit| *digit < 10)?;
        value.checked_mul(10)?.checked_add(digit.into())
    };
    let value = text.iter().try_fold(0, with)?;
    (!text.is_empty()).then_some(value)
}
