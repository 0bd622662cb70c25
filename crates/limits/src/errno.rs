//! Error numbers as programs print them: the name, the texts of the C libraries
//! and of runtimes with their own, and the number.

/// An error number.
#[derive(Debug, PartialEq, Eq)]
pub struct Errno {
    /// Its name, in lower case.
    pub name: &'static str,
    /// Its texts in glibc, musl, macOS and runtimes with texts of their own.
    pub texts: &'static [&'static str],
    /// How programs print its number.
    pub numbers: &'static [&'static str],
}

macro_rules! errno {
    ($id:ident, $name:literal, $number:literal, [$($text:literal),*]) => {
        pub(crate) static $id: Errno = Errno {
            name: $name,
            texts: &[$($text),*],
            numbers: &[
                concat!("errno ", $number),
                concat!("errno: ", $number),
                concat!("errno=", $number),
                concat!("errno = ", $number),
                concat!("os error ", $number),
                concat!("oserror(", $number),
                concat!("error=", $number),
                concat!("errcode: ", $number),
            ],
        };
    };
}

errno!(EPERM, "eperm", 1, ["operation not permitted"]);
errno!(E2BIG, "e2big", 7, ["argument list too long", "arg list too long"]);
// 35 on macOS, which is another error on Linux: the text tells there.
errno!(EAGAIN, "eagain", 11, ["resource temporarily unavailable"]);
errno!(ENOMEM, "enomem", 12, ["cannot allocate memory"]);
errno!(EACCES, "eacces", 13, ["permission denied"]);
errno!(EINVAL, "einval", 22, ["invalid argument"]);
errno!(
    ENFILE,
    "enfile",
    23,
    ["too many open files in system", "file table overflow", "systemfdquotaexceeded"]
);
errno!(
    EMFILE,
    "emfile",
    24,
    [
        "too many open files",
        "no file descriptors available",
        "processfdquotaexceeded",
        "process file descriptor quota exceeded"
    ]
);
errno!(EFBIG, "efbig", 27, ["file too large", "filetoobig"]);
errno!(ENOSPC, "enospc", 28, ["no space left on device"]);
errno!(
    EADDRNOTAVAIL,
    "eaddrnotavail",
    99,
    ["cannot assign requested address", "can't assign requested address", "address not available"]
);
