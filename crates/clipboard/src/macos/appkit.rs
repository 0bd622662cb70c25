//! NSPasteboard, by messages of the Objective-C runtime.
//!
//! AppKit is loaded when a pasteboard is first used. A program that is linked
//! with it loads it at every start, which takes longer than most of what this
//! program does.

#![expect(unsafe_code, reason = "dlopen(3), and messages to objects of AppKit")]

use std::ffi::{CStr, CString, c_char, c_void};
use std::marker::PhantomData;
use std::mem::transmute;
use std::slice;

use sys::{Error, Result};

const APPKIT: &CStr = c"/System/Library/Frameworks/AppKit.framework/AppKit";

/// An object, a class, or nil.
type Object = *mut c_void;
/// The name of a message.
type Selector = *mut c_void;

/// A pasteboard, for as long as the call that it was made for: the pools of a thread end in
/// the reverse order of their begin.
pub(super) struct Pasteboard {
    runtime: Runtime,
    object: Object,
    thread: PhantomData<*const ()>,
}

impl Pasteboard {
    /// Uses the one that copy and paste of programs mean.
    pub(super) fn general<T>(work: impl FnOnce(&Self) -> Result<T>) -> Result<T> {
        Self::named(c"generalPasteboard", work)
    }

    /// Uses one that nobody else knows.
    #[cfg(test)]
    pub(super) fn unique<T>(work: impl FnOnce(&Self) -> Result<T>) -> Result<T> {
        Self::named(c"pasteboardWithUniqueName", |pasteboard| {
            let done = work(pasteboard);
            pasteboard.runtime.get(pasteboard.object, c"releaseGlobally");
            done
        })
    }

    fn named<T>(constructor: &CStr, work: impl FnOnce(&Self) -> Result<T>) -> Result<T> {
        let runtime = Runtime::load()?;
        // Made first, dropped last: whatever happens, it ends after its objects were used.
        let _pool = Pool::new(&runtime);
        let object = runtime.get(runtime.class(c"NSPasteboard"), constructor);
        if object.is_null() {
            return Err(unexpected("there is no pasteboard"));
        }
        work(&Self { runtime, object, thread: PhantomData })
    }

    /// Puts data of several types in place of everything there is.
    pub(super) fn replace(&self, contents: &[(&str, &[u8])]) -> Result<()> {
        let count = self.runtime.number(self.object, c"clearContents");
        for (name, bytes) in contents {
            let data = self.runtime.data(bytes);
            let name = self.string(name)?;
            if !self.runtime.put(self.object, c"setData:forType:", data, name) {
                return Err(unexpected("the pasteboard does not take it"));
            }
        }
        if self.runtime.number(self.object, c"changeCount") != count {
            return Err(unexpected("somebody else copied something at the same moment"));
        }
        Ok(())
    }

    /// The data of a type; `None` if there is none.
    pub(super) fn data(&self, name: &str) -> Result<Option<Vec<u8>>> {
        let name = self.string(name)?;
        let data = self.runtime.get_for(self.object, c"dataForType:", name);
        Ok((!data.is_null()).then(|| self.runtime.bytes(data)))
    }

    /// The types that there is data of.
    pub(super) fn types(&self) -> Vec<String> {
        let types = self.runtime.get(self.object, c"types");
        // What is nil has no elements.
        let count = self.runtime.number(types, c"count");
        (0..count).map(|index| self.runtime.text(self.runtime.at(types, index))).collect()
    }

    fn string(&self, text: &str) -> Result<Object> {
        let text = CString::new(text).map_err(|_| unexpected("a name with a NUL"))?;
        Ok(self.runtime.string(&text))
    }
}

/// Objects that nobody keeps live as long as this.
struct Pool {
    token: Object,
    pop: unsafe extern "C" fn(Object),
}

impl Pool {
    fn new(runtime: &Runtime) -> Self {
        // SAFETY: it takes no argument and gives a token for the call that ends it.
        Self { token: unsafe { (runtime.push)() }, pop: runtime.pop }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        // SAFETY: it is a local variable of `named`, so it is the innermost pool of its thread.
        unsafe { (self.pop)(self.token) }
    }
}

/// The functions of the Objective-C runtime.
struct Runtime {
    /// Called as a function of the types that the message has.
    send: *mut c_void,
    class: unsafe extern "C" fn(*const c_char) -> Object,
    selector: unsafe extern "C" fn(*const c_char) -> Selector,
    push: unsafe extern "C" fn() -> Object,
    pop: unsafe extern "C" fn(Object),
}

impl Runtime {
    fn load() -> Result<Self> {
        // SAFETY: the path is a string; what the library does at its start is Apple's.
        let library = unsafe { libc::dlopen(APPKIT.as_ptr(), libc::RTLD_LAZY) };
        if library.is_null() {
            return Err(unexpected("AppKit cannot be loaded"));
        }
        let find = |name: &CStr| {
            // SAFETY: the library is open and stays so, and the name is a string.
            let function = unsafe { libc::dlsym(library, name.as_ptr()) };
            if function.is_null() {
                Err(unexpected("the runtime lacks a function"))
            } else {
                Ok(function)
            }
        };
        // SAFETY: these are the functions' types in objc/runtime.h and in the
        // documentation of Automatic Reference Counting of clang.
        unsafe {
            Ok(Self {
                send: find(c"objc_msgSend")?,
                class: transmute::<*mut c_void, unsafe extern "C" fn(*const c_char) -> Object>(
                    find(c"objc_getClass")?,
                ),
                selector: transmute::<*mut c_void, unsafe extern "C" fn(*const c_char) -> Selector>(
                    find(c"sel_registerName")?,
                ),
                push: transmute::<*mut c_void, unsafe extern "C" fn() -> Object>(find(
                    c"objc_autoreleasePoolPush",
                )?),
                pop: transmute::<*mut c_void, unsafe extern "C" fn(Object)>(find(
                    c"objc_autoreleasePoolPop",
                )?),
            })
        }
    }

    fn class(&self, name: &CStr) -> Object {
        // SAFETY: the name is a string; an unknown one gives nil.
        unsafe { (self.class)(name.as_ptr()) }
    }

    fn selector(&self, name: &CStr) -> Selector {
        // SAFETY: the name is a string.
        unsafe { (self.selector)(name.as_ptr()) }
    }

    /// A message without an argument that gives an object, or nothing.
    fn get(&self, object: Object, message: &CStr) -> Object {
        type Send = unsafe extern "C" fn(Object, Selector) -> Object;
        // SAFETY: callers name messages of this type; nil answers nil to each.
        unsafe { transmute::<*mut c_void, Send>(self.send)(object, self.selector(message)) }
    }

    /// A message with an object that gives an object.
    fn get_for(&self, object: Object, message: &CStr, argument: Object) -> Object {
        type Send = unsafe extern "C" fn(Object, Selector, Object) -> Object;
        let selector = self.selector(message);
        // SAFETY: as above.
        unsafe { transmute::<*mut c_void, Send>(self.send)(object, selector, argument) }
    }

    /// A message without an argument that gives an NSInteger, which none of them has below zero.
    fn number(&self, object: Object, message: &CStr) -> usize {
        type Send = unsafe extern "C" fn(Object, Selector) -> usize;
        // SAFETY: as above.
        unsafe { transmute::<*mut c_void, Send>(self.send)(object, self.selector(message)) }
    }

    /// A message with two objects that gives a BOOL.
    fn put(&self, object: Object, message: &CStr, first: Object, second: Object) -> bool {
        type Send = unsafe extern "C" fn(Object, Selector, Object, Object) -> u8;
        let selector = self.selector(message);
        // SAFETY: as above; BOOL is a byte on every Mac.
        unsafe { transmute::<*mut c_void, Send>(self.send)(object, selector, first, second) != 0 }
    }

    /// An object of an NSArray, which has so many.
    fn at(&self, array: Object, index: usize) -> Object {
        type Send = unsafe extern "C" fn(Object, Selector, usize) -> Object;
        let selector = self.selector(c"objectAtIndex:");
        // SAFETY: as above; the caller has counted them.
        unsafe { transmute::<*mut c_void, Send>(self.send)(array, selector, index) }
    }

    /// An NSData with a copy of these bytes.
    fn data(&self, bytes: &[u8]) -> Object {
        type Send = unsafe extern "C" fn(Object, Selector, *const u8, usize) -> Object;
        let (class, selector) = (self.class(c"NSData"), self.selector(c"dataWithBytes:length:"));
        // SAFETY: as above; the pointer and the length are those of a slice.
        unsafe {
            transmute::<*mut c_void, Send>(self.send)(class, selector, bytes.as_ptr(), bytes.len())
        }
    }

    /// An NSString.
    fn string(&self, text: &CStr) -> Object {
        type Send = unsafe extern "C" fn(Object, Selector, *const c_char) -> Object;
        let (class, selector) = (self.class(c"NSString"), self.selector(c"stringWithUTF8String:"));
        // SAFETY: as above; the text is a string.
        unsafe { transmute::<*mut c_void, Send>(self.send)(class, selector, text.as_ptr()) }
    }

    /// A copy of the bytes of an NSData.
    fn bytes(&self, data: Object) -> Vec<u8> {
        let length = self.number(data, c"length");
        let start: *const u8 = self.get(data, c"bytes").cast_const().cast();
        if start.is_null() || length == 0 {
            return Vec::new();
        }
        // SAFETY: an NSData keeps its bytes for as long as it lives, which the pool sees to.
        unsafe { slice::from_raw_parts(start, length) }.to_vec()
    }

    /// A copy of the text of an NSString.
    fn text(&self, string: Object) -> String {
        let start: *const c_char = self.get(string, c"UTF8String").cast_const().cast();
        if start.is_null() {
            return String::new();
        }
        // SAFETY: it ends with a NUL, and lives as long as the pool.
        unsafe { CStr::from_ptr(start) }.to_string_lossy().into_owned()
    }
}

fn unexpected(what: &str) -> Error {
    Error::Unexpected { doing: "use the pasteboard".to_owned(), what: what.to_owned() }
}
