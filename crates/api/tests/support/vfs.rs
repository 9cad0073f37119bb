//! An SQLite VFS on the disks of [`super::disk`]. One is registered for the process; a file's folder says
//! which disk it is on. Locks always succeed: there is one connection to a disk at a time.

use std::collections::HashMap;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::path::{Path, PathBuf};
use std::ptr;
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError};

use rusqlite::ffi;

use super::disk::{Change, Image, Operation};

/// The name to open a store with.
pub(crate) const NAME: &str = "headcount-test-disk";

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Writes fail: the disk is full.
    Full,
    /// Writes fail with an I/O error.
    Write,
    /// Syncs fail.
    Sync,
}

/// An operation, and what readers of the store saw when it was done.
pub(crate) struct Logged {
    pub(crate) operation: Operation,
    pub(crate) visible: u64,
}

type Visible = Box<dyn Fn() -> u64 + Send>;

/// A disk in use. Dropping it takes it off the VFS.
pub(crate) struct Disk {
    folder: PathBuf,
    shared: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    names: HashMap<String, usize>,
    files: Vec<Vec<u8>>,
    log: Vec<Logged>,
    fault: Option<Fault>,
    visible: Option<Visible>,
    /// SQLite's shared memory for the log's index: regions that do not move while they are mapped.
    /// Of `u64` for their alignment.
    shared_memory: Vec<Box<[u64]>>,
}

static DISKS: Mutex<Option<HashMap<PathBuf, Arc<Mutex<State>>>>> = Mutex::new(None);

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Disk {
    /// Puts a disk with these files in a folder's place.
    pub(crate) fn new(folder: &Path, image: &Image) -> Self {
        register();
        let mut state = State::default();
        for (name, contents) in image {
            state.names.insert(name.clone(), state.files.len());
            state.files.push(contents.clone());
        }
        let shared = Arc::new(Mutex::new(state));
        let folder = folder.to_owned();
        let before = lock(&DISKS).get_or_insert_default().insert(folder.clone(), shared.clone());
        assert!(before.is_none(), "one disk for a folder");
        Self { folder, shared }
    }

    /// Asks this what readers see, at each operation.
    pub(crate) fn watch(&self, visible: impl Fn() -> u64 + Send + 'static) {
        lock(&self.shared).visible = Some(Box::new(visible));
    }

    pub(crate) fn set_fault(&self, fault: Option<Fault>) {
        lock(&self.shared).fault = fault;
    }

    /// What was done so far.
    pub(crate) fn take_log(&self) -> Vec<Logged> {
        let mut state = lock(&self.shared);
        state.visible = None;
        std::mem::take(&mut state.log)
    }

    /// The files as they are.
    pub(crate) fn image(&self) -> Image {
        let state = lock(&self.shared);
        state.names.iter().map(|(name, file)| (name.clone(), state.files[*file].clone())).collect()
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        lock(&DISKS).get_or_insert_default().remove(&self.folder);
    }
}

impl State {
    fn log(&mut self, operation: Operation) {
        let visible = self.visible.as_ref().map_or(0, |visible| visible());
        self.log.push(Logged { operation, visible });
    }

    fn change(&mut self, file: usize, change: Change) -> c_int {
        match self.fault {
            Some(Fault::Full) => return ffi::SQLITE_FULL,
            Some(Fault::Write) => return ffi::SQLITE_IOERR_WRITE,
            Some(Fault::Sync) | None => {}
        }
        change.apply(&mut self.files[file]);
        self.log(Operation::Change { file, change });
        ffi::SQLITE_OK
    }
}

/// The disk and the file's name there.
fn find(path: &Path) -> Option<(Arc<Mutex<State>>, String)> {
    let disk = lock(&DISKS).as_ref()?.get(path.parent()?)?.clone();
    Some((disk, path.file_name()?.to_str()?.to_owned()))
}

/// # Safety
/// `name` is a C string, as SQLite passes them.
unsafe fn path(name: *const c_char) -> Option<PathBuf> {
    // SAFETY: promised by the caller.
    let name = unsafe { CStr::from_ptr(name) };
    Some(PathBuf::from(name.to_str().ok()?))
}

/// What SQLite allocates for an open file; it knows the first field only.
#[repr(C)]
struct Open {
    base: ffi::sqlite3_file,
    handle: *mut Handle,
}

struct Handle {
    disk: Arc<Mutex<State>>,
    file: usize,
    /// The folder is still to be synced with it.
    fresh_log: bool,
}

/// # Safety
/// `file` was opened by [`open`] and is not yet closed; SQLite uses a file from one thread at a time.
unsafe fn handle<'a>(file: *mut ffi::sqlite3_file) -> &'a mut Handle {
    // SAFETY: `open` has put a `Handle` from a `Box` there, which `close` takes; no other reference
    // lives, as promised by the caller.
    unsafe { &mut *(*file.cast::<Open>()).handle }
}

static METHODS: ffi::sqlite3_io_methods = ffi::sqlite3_io_methods {
    iVersion: 2,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: Some(succeed),
    xUnlock: Some(succeed),
    xCheckReservedLock: Some(check_reserved_lock),
    xFileControl: Some(file_control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(device_characteristics),
    xShmMap: Some(shm_map),
    xShmLock: Some(shm_lock),
    xShmBarrier: Some(shm_barrier),
    xShmUnmap: Some(shm_unmap),
    xFetch: None,
    xUnfetch: None,
};

fn register() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: the default VFS lives as long as the process, and so does ours, which is leaked. Those
        // of its functions that are kept (time, sleep, randomness) use no state of their VFS.
        unsafe {
            assert_eq!(ffi::sqlite3_initialize(), ffi::SQLITE_OK);
            let mut vfs = *ffi::sqlite3_vfs_find(ptr::null());
            vfs.szOsFile = size_of::<Open>() as c_int;
            vfs.pNext = ptr::null_mut();
            vfs.zName = c"headcount-test-disk".as_ptr();
            vfs.xOpen = Some(open);
            vfs.xDelete = Some(delete);
            vfs.xAccess = Some(access);
            vfs.xFullPathname = Some(full_pathname);
            assert_eq!(ffi::sqlite3_vfs_register(Box::leak(Box::new(vfs)), 0), ffi::SQLITE_OK);
        }
    });
}

unsafe extern "C" fn open(
    _: *mut ffi::sqlite3_vfs,
    name: ffi::sqlite3_filename,
    file: *mut ffi::sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    let opened = file.cast::<Open>();
    // SAFETY: SQLite gives `szOsFile` bytes; without methods it does not call `close`.
    unsafe { (*opened).base.pMethods = ptr::null() };
    if name.is_null() {
        // A temporary file; temporary tables are in memory, so none is asked for.
        return ffi::SQLITE_CANTOPEN;
    }
    // SAFETY: SQLite passes a C string that is not null.
    let found = unsafe { path(name) }.and_then(|path| find(&path));
    let Some((disk, name)) = found else { return ffi::SQLITE_CANTOPEN };
    let mut state = lock(&disk);
    let (file, created) = match state.names.get(&name) {
        Some(file) => (*file, false),
        None if flags & ffi::SQLITE_OPEN_CREATE == 0 => return ffi::SQLITE_CANTOPEN,
        None => {
            let file = state.files.len();
            state.files.push(Vec::new());
            state.names.insert(name.clone(), file);
            state.log(Operation::Create { name, file });
            (file, true)
        }
    };
    drop(state);
    // As the unix VFS decides it: logs that it created, not the database.
    let log = flags & (ffi::SQLITE_OPEN_WAL | ffi::SQLITE_OPEN_MAIN_JOURNAL) != 0;
    let handle = Box::new(Handle { disk, file, fresh_log: created && log });
    // SAFETY: as above; `out_flags` is null or points to a number.
    unsafe {
        (*opened).handle = Box::into_raw(handle);
        (*opened).base.pMethods = &raw const METHODS;
        if !out_flags.is_null() {
            *out_flags = flags;
        }
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn delete(
    _: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    sync_folder: c_int,
) -> c_int {
    // SAFETY: SQLite passes a C string.
    let found = unsafe { path(name) }.and_then(|path| find(&path));
    let Some((disk, name)) = found else { return ffi::SQLITE_IOERR_DELETE_NOENT };
    let mut state = lock(&disk);
    if state.names.remove(&name).is_none() {
        return ffi::SQLITE_IOERR_DELETE_NOENT;
    }
    state.log(Operation::Delete { name, sync_folder: sync_folder != 0 });
    ffi::SQLITE_OK
}

unsafe extern "C" fn access(
    _: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    _: c_int,
    result: *mut c_int,
) -> c_int {
    // SAFETY: SQLite passes a C string.
    let found = unsafe { path(name) }.and_then(|path| find(&path));
    let exists = found.is_some_and(|(disk, name)| {
        let state = lock(&disk);
        // As the unix VFS: an empty file is none.
        state.names.get(&name).is_some_and(|file| !state.files[*file].is_empty())
    });
    // SAFETY: SQLite passes a place for the answer.
    unsafe { *result = c_int::from(exists) };
    ffi::SQLITE_OK
}

unsafe extern "C" fn full_pathname(
    _: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    length: c_int,
    out: *mut c_char,
) -> c_int {
    // SAFETY: SQLite passes a C string.
    let bytes = unsafe { CStr::from_ptr(name) }.to_bytes_with_nul();
    if bytes.len() > length as usize {
        return ffi::SQLITE_CANTOPEN;
    }
    // SAFETY: `out` has room for `length` bytes, which are enough.
    unsafe { ptr::copy_nonoverlapping(bytes.as_ptr().cast(), out, bytes.len()) };
    ffi::SQLITE_OK
}

unsafe extern "C" fn close(file: *mut ffi::sqlite3_file) -> c_int {
    // SAFETY: `open` has put it there from a `Box`, and SQLite closes a file once.
    drop(unsafe { Box::from_raw((*file.cast::<Open>()).handle) });
    ffi::SQLITE_OK
}

unsafe extern "C" fn read(
    file: *mut ffi::sqlite3_file,
    out: *mut c_void,
    length: c_int,
    offset: ffi::sqlite3_int64,
) -> c_int {
    // SAFETY: called by SQLite with an open file.
    let handle = unsafe { handle(file) };
    // SAFETY: SQLite gives a buffer of this length.
    let out = unsafe { std::slice::from_raw_parts_mut(out.cast::<u8>(), length as usize) };
    let state = lock(&handle.disk);
    let contents = state.files[handle.file].get(offset as usize..).unwrap_or_default();
    let length = contents.len().min(out.len());
    out[..length].copy_from_slice(&contents[..length]);
    out[length..].fill(0);
    if length == out.len() { ffi::SQLITE_OK } else { ffi::SQLITE_IOERR_SHORT_READ }
}

unsafe extern "C" fn write(
    file: *mut ffi::sqlite3_file,
    bytes: *const c_void,
    length: c_int,
    offset: ffi::sqlite3_int64,
) -> c_int {
    // SAFETY: called by SQLite with an open file.
    let handle = unsafe { handle(file) };
    // SAFETY: SQLite gives a buffer of this length.
    let bytes = unsafe { std::slice::from_raw_parts(bytes.cast::<u8>(), length as usize) };
    let change = Change::Write { offset: offset as usize, bytes: bytes.to_vec() };
    lock(&handle.disk).change(handle.file, change)
}

unsafe extern "C" fn truncate(file: *mut ffi::sqlite3_file, length: ffi::sqlite3_int64) -> c_int {
    // SAFETY: called by SQLite with an open file.
    let handle = unsafe { handle(file) };
    lock(&handle.disk).change(handle.file, Change::Truncate { length: length as usize })
}

unsafe extern "C" fn sync(file: *mut ffi::sqlite3_file, _: c_int) -> c_int {
    // SAFETY: called by SQLite with an open file.
    let handle = unsafe { handle(file) };
    let mut state = lock(&handle.disk);
    let failed = state.fault == Some(Fault::Sync);
    state.log(Operation::Sync { file: handle.file, sync_folder: handle.fresh_log, failed });
    if failed {
        return ffi::SQLITE_IOERR_FSYNC;
    }
    handle.fresh_log = false;
    ffi::SQLITE_OK
}

unsafe extern "C" fn file_size(
    file: *mut ffi::sqlite3_file,
    size: *mut ffi::sqlite3_int64,
) -> c_int {
    // SAFETY: called by SQLite with an open file.
    let handle = unsafe { handle(file) };
    let length = lock(&handle.disk).files[handle.file].len();
    // SAFETY: SQLite gives a place for the answer.
    unsafe { *size = length as ffi::sqlite3_int64 };
    ffi::SQLITE_OK
}

unsafe extern "C" fn succeed(_: *mut ffi::sqlite3_file, _: c_int) -> c_int {
    ffi::SQLITE_OK
}

unsafe extern "C" fn check_reserved_lock(_: *mut ffi::sqlite3_file, result: *mut c_int) -> c_int {
    // SAFETY: SQLite gives a place for the answer.
    unsafe { *result = 0 };
    ffi::SQLITE_OK
}

unsafe extern "C" fn file_control(_: *mut ffi::sqlite3_file, _: c_int, _: *mut c_void) -> c_int {
    ffi::SQLITE_NOTFOUND
}

unsafe extern "C" fn sector_size(_: *mut ffi::sqlite3_file) -> c_int {
    4096
}

unsafe extern "C" fn device_characteristics(_: *mut ffi::sqlite3_file) -> c_int {
    // As the unix VFS says of every disk.
    ffi::SQLITE_IOCAP_POWERSAFE_OVERWRITE
}

unsafe extern "C" fn shm_map(
    file: *mut ffi::sqlite3_file,
    region: c_int,
    size: c_int,
    extend: c_int,
    out: *mut *mut c_void,
) -> c_int {
    // SAFETY: called by SQLite with an open file.
    let handle = unsafe { handle(file) };
    let mut state = lock(&handle.disk);
    let regions = &mut state.shared_memory;
    while extend != 0 && regions.len() <= region as usize {
        regions.push(vec![0; size as usize / size_of::<u64>()].into_boxed_slice());
    }
    let mapped = match regions.get_mut(region as usize) {
        Some(region) => region.as_mut_ptr().cast(),
        None => ptr::null_mut(),
    };
    // SAFETY: SQLite gives a place for the answer.
    unsafe { *out = mapped };
    ffi::SQLITE_OK
}

unsafe extern "C" fn shm_lock(_: *mut ffi::sqlite3_file, _: c_int, _: c_int, _: c_int) -> c_int {
    ffi::SQLITE_OK
}

unsafe extern "C" fn shm_barrier(_: *mut ffi::sqlite3_file) {
    std::sync::atomic::fence(std::sync::atomic::Ordering::SeqCst);
}

unsafe extern "C" fn shm_unmap(file: *mut ffi::sqlite3_file, _: c_int) -> c_int {
    // SAFETY: called by SQLite with an open file; it does not use the memory any more.
    let handle = unsafe { handle(file) };
    // Whether SQLite asks for it or not: the first to open a database again finds it empty.
    lock(&handle.disk).shared_memory.clear();
    ffi::SQLITE_OK
}
