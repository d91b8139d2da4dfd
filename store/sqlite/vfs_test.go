package sqlite

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"unsafe"

	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"
)

// A disk stands between SQLite and the files of one folder: it counts SQLite's
// calls to the operating system and answers some of them with an error, or takes
// a part of a write only, as a sick or full disk does. It also remembers what was
// synced (powercut).
type disk struct {
	dir string

	mu     sync.Mutex // guards what follows
	fault  fault      // how it is sick
	calls  int        // that the fault touches, so far
	failAt int        // the one of them that fails, from 1; 0 is none
	random *rand.Rand // how much a torn write has written
	failed []string   // what failed: operation and file

	images map[string]*image // what a power cut would leave, by path; nil does not track
	cutAt  int               // the call before which the power is cut
	cut    func()            // called then
}

// fault is a way in which a disk is sick; the zero fault touches every call.
type fault struct {
	name    string
	lasting bool // all calls that it touches fail from one on
	full    bool // only what needs room fails, with SQLITE_FULL
	torn    bool // only writes fail, and have written a part
}

// touches reports whether calls of this kind fail of it.
func (f fault) touches(op string) bool {
	switch {
	case f.full:
		return op == "write" || op == "truncate" || op == "map shared memory"
	case f.torn:
		return op == "write"
	}
	return true
}

// disks are the folders under test; files elsewhere are left alone.
var disks struct {
	sync.RWMutex
	all   []*disk
	files map[uintptr]*openFile // by sqlite3_file
	unix  uintptr               // the VFS of the operating system
	shim  uintptr
	tls   *libc.TLS
}

// openFile is a file that SQLite has open, and the methods that really do things.
type openFile struct {
	d       *disk
	name    string
	methods *sqlite3.Tsqlite3_io_methods
}

// newDisk stands before the files of dir until the test ends.
func newDisk(t testing.TB, dir string) *disk {
	t.Helper()
	d := &disk{dir: dir}
	disks.Lock()
	defer disks.Unlock()
	if disks.shim == 0 {
		register()
	}
	disks.all = append(disks.all, d)
	sqlite3.Xsqlite3_vfs_register(disks.tls, disks.shim, 1)
	t.Cleanup(d.remove)
	return d
}

// remove ends the standing before the folder; again is no error.
func (d *disk) remove() {
	disks.Lock()
	defer disks.Unlock()
	disks.all = slices.DeleteFunc(disks.all, func(other *disk) bool { return other == d })
	if len(disks.all) == 0 { // other tests do without
		sqlite3.Xsqlite3_vfs_register(disks.tls, disks.unix, 1)
	}
}

// memoryFolder makes a folder in memory where the system has such: what syncs are
// worth is decided by the disk, so that real ones only take time.
func memoryFolder(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "heed-test-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// register makes the shim: the VFS of the operating system, but for three of its
// methods; files that it opens get methods that ask the disk first.
func register() {
	disks.tls = libc.NewTLS()
	disks.files = map[uintptr]*openFile{}
	disks.unix = sqlite3.Xsqlite3_vfs_find(disks.tls, 0)
	disks.shim = libc.Xmalloc(disks.tls, libc.Tsize_t(unsafe.Sizeof(sqlite3.Tsqlite3_vfs{})))
	v := at[sqlite3.Tsqlite3_vfs](disks.shim)
	*v = *at[sqlite3.Tsqlite3_vfs](disks.unix)
	name, err := libc.CString("heed-test-disk")
	if err != nil {
		panic(err)
	}
	v.FzName, v.FpNext = name, 0
	v.FxOpen, v.FxDelete, v.FxAccess = pointer(shimOpen), pointer(shimDelete), pointer(shimAccess)
}

// at is the C object at an address that the C heap owns.
func at[T any](p uintptr) *T { return *(**T)(unsafe.Pointer(&p)) }

// pointer is what the C side calls a function by that is declared at top level.
func pointer(f any) uintptr {
	type word [2]uintptr
	return (*word)(unsafe.Pointer(&f))[1]
}

// fail reports whether the call fails. Every call of a disk comes here first.
func (d *disk) fail(op, name string) bool {
	if d == nil {
		return false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.fault.touches(op) {
		return false
	}
	if d.calls++; d.calls == d.cutAt {
		d.cut()
	}
	if d.failAt == 0 || d.calls < d.failAt || d.calls > d.failAt && !d.fault.lasting {
		return false
	}
	d.failed = append(d.failed, op+" "+filepath.Base(name))
	return true
}

// set makes the k-th call from now on fail that the fault touches. The seed says
// how much of a torn write is written.
func (d *disk) set(k int, f fault, seed uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fault, d.calls, d.failAt, d.failed = f, 0, k, nil
	d.random = rand.New(rand.NewPCG(seed, uint64(k)))
}

// part is how much a write of n bytes has written that fails.
func (d *disk) part(n int32) int32 {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.fault.torn {
		return 0
	}
	return d.random.Int32N(n)
}

// heal ends the faults and tells how many calls there were and what failed.
func (d *disk) heal() (calls int, failed []string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.failAt = 0
	return d.calls, d.failed
}

func diskOf(name string) *disk {
	disks.RLock()
	defer disks.RUnlock()
	for _, d := range disks.all {
		if strings.HasPrefix(name, d.dir+string(filepath.Separator)) {
			return d
		}
	}
	return nil
}

func fileOf(p uintptr) *openFile {
	disks.RLock()
	defer disks.RUnlock()
	return disks.files[p]
}

func shimOpen(tls *libc.TLS, vfs, name, file uintptr, flags int32, out uintptr) int32 {
	var d *disk
	path := ""
	if name != 0 {
		path = libc.GoString(name)
		d = diskOf(path)
	}
	if d.fail("open", path) {
		*at[uintptr](file) = 0
		return sqlite3.SQLITE_CANTOPEN
	}
	unix := at[sqlite3.Tsqlite3_vfs](disks.unix)
	rc := call[func(*libc.TLS, uintptr, uintptr, uintptr, int32, uintptr) int32](unix.FxOpen)(tls, disks.unix, name, file, flags, out)
	if rc != sqlite3.SQLITE_OK || d == nil {
		return rc
	}
	disks.Lock()
	defer disks.Unlock()
	methods := at[sqlite3.Tsqlite3_io_methods](*at[uintptr](file))
	disks.files[file] = &openFile{d, path, methods}
	*at[uintptr](file) = shimMethods(methods)
	return rc
}

func shimDelete(tls *libc.TLS, vfs, name uintptr, sync int32) int32 {
	path := libc.GoString(name)
	d := diskOf(path)
	if d.fail("delete", path) {
		return sqlite3.SQLITE_IOERR_DELETE
	}
	d.deleted(path)
	unix := at[sqlite3.Tsqlite3_vfs](disks.unix)
	return call[func(*libc.TLS, uintptr, uintptr, int32) int32](unix.FxDelete)(tls, disks.unix, name, sync)
}

func shimAccess(tls *libc.TLS, vfs, name uintptr, flags int32, out uintptr) int32 {
	path := libc.GoString(name)
	if diskOf(path).fail("access", path) {
		return sqlite3.SQLITE_IOERR_ACCESS
	}
	unix := at[sqlite3.Tsqlite3_vfs](disks.unix)
	return call[func(*libc.TLS, uintptr, uintptr, int32, uintptr) int32](unix.FxAccess)(tls, disks.unix, name, flags, out)
}

// shimMethods are the methods of files of a disk, for the rest those that the
// operating system's files have.
func shimMethods(of *sqlite3.Tsqlite3_io_methods) uintptr {
	p := libc.Xmalloc(disks.tls, libc.Tsize_t(unsafe.Sizeof(*of)))
	m := at[sqlite3.Tsqlite3_io_methods](p)
	*m = *of
	m.FxClose, m.FxRead, m.FxWrite = pointer(shimClose), pointer(shimRead), pointer(shimWrite)
	m.FxTruncate, m.FxSync, m.FxFileSize = pointer(shimTruncate), pointer(shimSync), pointer(shimFileSize)
	m.FxLock, m.FxShmMap, m.FxShmLock = pointer(shimLock), pointer(shimShmMap), pointer(shimShmLock)
	return p
}

func shimClose(tls *libc.TLS, file uintptr) int32 {
	f := fileOf(file)
	disks.Lock()
	delete(disks.files, file)
	disks.Unlock()
	libc.Xfree(tls, *at[uintptr](file))
	return call[func(*libc.TLS, uintptr) int32](f.methods.FxClose)(tls, file)
}

func shimRead(tls *libc.TLS, file, buf uintptr, n int32, off int64) int32 {
	f := fileOf(file)
	if f.d.fail("read", f.name) {
		return sqlite3.SQLITE_IOERR_READ
	}
	return call[func(*libc.TLS, uintptr, uintptr, int32, int64) int32](f.methods.FxRead)(tls, file, buf, n, off)
}

func shimWrite(tls *libc.TLS, file, buf uintptr, n int32, off int64) int32 {
	f := fileOf(file)
	write := call[func(*libc.TLS, uintptr, uintptr, int32, int64) int32](f.methods.FxWrite)
	if f.d.fail("write", f.name) {
		if part := f.d.part(n); part > 0 {
			f.d.wrote(f.name, off, copied(libc.GoBytes(buf, int(part))))
			write(tls, file, buf, part, off)
		}
		if f.d.fault.full {
			return sqlite3.SQLITE_FULL
		}
		return sqlite3.SQLITE_IOERR_WRITE
	}
	f.d.wrote(f.name, off, copied(libc.GoBytes(buf, int(n))))
	return write(tls, file, buf, n, off)
}

func shimTruncate(tls *libc.TLS, file uintptr, size int64) int32 {
	f := fileOf(file)
	if f.d.fail("truncate", f.name) {
		return sqlite3.SQLITE_IOERR_TRUNCATE
	}
	f.d.truncated(f.name, size)
	return call[func(*libc.TLS, uintptr, int64) int32](f.methods.FxTruncate)(tls, file, size)
}

func shimSync(tls *libc.TLS, file uintptr, flags int32) int32 {
	f := fileOf(file)
	if f.d.fail("sync", f.name) {
		return sqlite3.SQLITE_IOERR_FSYNC
	}
	f.d.flushed(f.name)
	return call[func(*libc.TLS, uintptr, int32) int32](f.methods.FxSync)(tls, file, flags)
}

func shimFileSize(tls *libc.TLS, file, size uintptr) int32 {
	f := fileOf(file)
	if f.d.fail("size of", f.name) {
		return sqlite3.SQLITE_IOERR_FSTAT
	}
	return call[func(*libc.TLS, uintptr, uintptr) int32](f.methods.FxFileSize)(tls, file, size)
}

func shimLock(tls *libc.TLS, file uintptr, lock int32) int32 {
	f := fileOf(file)
	if f.d.fail("lock", f.name) {
		return sqlite3.SQLITE_IOERR_LOCK
	}
	return call[func(*libc.TLS, uintptr, int32) int32](f.methods.FxLock)(tls, file, lock)
}

func shimShmMap(tls *libc.TLS, file uintptr, page, size, extend int32, out uintptr) int32 {
	f := fileOf(file)
	if f.d.fail("map shared memory", f.name) {
		*at[uintptr](out) = 0
		return sqlite3.SQLITE_IOERR_SHMMAP
	}
	return call[func(*libc.TLS, uintptr, int32, int32, int32, uintptr) int32](f.methods.FxShmMap)(tls, file, page, size, extend, out)
}

func shimShmLock(tls *libc.TLS, file uintptr, offset, n, flags int32) int32 {
	f := fileOf(file)
	const unlock = 1 // SQLITE_SHM_UNLOCK; it cannot fail in a way that SQLite looks at
	if flags&unlock == 0 && f.d.fail("lock shared memory", f.name) {
		return sqlite3.SQLITE_IOERR_SHMLOCK
	}
	return call[func(*libc.TLS, uintptr, int32, int32, int32) int32](f.methods.FxShmLock)(tls, file, offset, n, flags)
}

// call is a C function as Go can call it.
func call[F any](p uintptr) F { return *(*F)(unsafe.Pointer(&p)) }
