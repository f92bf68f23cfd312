//! The bytes of a file: unpacked, and cut into lines of bounded length.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// No line of any format is longer: a full depth snapshot has some hundred kilobytes.
const LINE_BYTES_MAX: usize = 8 << 20;
const BUFFER_BYTES: usize = 1 << 20;

/// A file's text, and how much of the file itself was read for it.
pub struct Text {
    /// The unpacked bytes.
    pub reader: Box<dyn BufRead>,
    /// Bytes of the packed file read so far.
    pub read: Arc<AtomicU64>,
    /// Name of what was unpacked: the archive's member, or the file without its packing.
    pub name: String,
}

/// Counts what passes through.
struct Counted<R> {
    inner: R,
    read: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.read.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

/// Opens a file: plain, `.gz`, `.zip` with one member, or `.parquet` through the program that knows it.
pub fn open(path: &Path) -> io::Result<Text> {
    let read = Arc::new(AtomicU64::new(0));
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut magic = Vec::new();
    File::open(path)?.take(4).read_to_end(&mut magic)?;
    let counted = || -> io::Result<_> { Ok(Counted { inner: File::open(path)?, read: Arc::clone(&read) }) };
    let (reader, name): (Box<dyn Read>, String) = match magic.as_slice() {
        [0x1f, 0x8b, ..] => {
            let inner = name.strip_suffix(".gz").unwrap_or(&name).to_owned();
            (Box::new(flate2::read::MultiGzDecoder::new(counted()?)), inner)
        }
        b"PK\x03\x04" => {
            let (member, inner) = only_member(path)?;
            (Box::new(Counted { inner: member, read: Arc::clone(&read) }), inner)
        }
        b"PAR1" => (Box::new(parquet(path)?), format!("{name}.csv")),
        _ => (Box::new(counted()?), name),
    };
    Ok(Text { reader: Box::new(BufReader::with_capacity(BUFFER_BYTES, reader)), read, name })
}

/// The one file in an archive, unpacked as it is read.
fn only_member(path: &Path) -> io::Result<(impl Read + use<>, String)> {
    let mut archive = zip::ZipArchive::new(File::open(path)?).map_err(io::Error::other)?;
    let files: Vec<usize> =
        (0..archive.len()).filter(|&at| archive.by_index_raw(at).is_ok_and(|file| file.is_file())).collect();
    let [at] = files[..] else {
        return Err(io::Error::other(format!("an archive of {} files where one was expected", files.len())));
    };
    let name = archive.by_index(at).map_err(io::Error::other)?.name().map_err(io::Error::other)?.into_owned();
    // The reader of a member borrows the archive: a thread of its own owns both and hands the bytes over.
    let (mut to, from) = pipe();
    std::thread::Builder::new().name("unzip".into()).spawn(move || {
        let copied = archive.by_index(at).map_err(io::Error::other).and_then(|mut member| {
            let mut buffer = vec![0; BUFFER_BYTES];
            loop {
                match member.read(&mut buffer)? {
                    0 => return Ok(()),
                    count if !to.give(Ok(buffer.get(..count).unwrap_or_default().to_vec())) => return Ok(()),
                    _ => {}
                }
            }
        });
        if let Err(error) = copied {
            to.give(Err(error));
        }
    })?;
    Ok((from, name))
}

/// Blocks of bytes from one thread to another, a few at a time.
fn pipe() -> (Giver, Taker) {
    let (to, from) = std::sync::mpsc::sync_channel(4);
    (Giver(to), Taker { from, block: Vec::new(), at: 0 })
}

struct Giver(std::sync::mpsc::SyncSender<io::Result<Vec<u8>>>);

struct Taker {
    from: std::sync::mpsc::Receiver<io::Result<Vec<u8>>>,
    block: Vec<u8>,
    at: usize,
}

impl Giver {
    /// False when nobody takes any more.
    fn give(&mut self, block: io::Result<Vec<u8>>) -> bool {
        self.0.send(block).is_ok()
    }
}

impl Read for Taker {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.at == self.block.len() {
            let Ok(block) = self.from.recv() else { return Ok(0) };
            (self.block, self.at) = (block?, 0);
        }
        let rest = self.block.get(self.at..).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        buffer.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
        self.at += count;
        Ok(count)
    }
}

/// A Parquet file as CSV, by the program that is built with the libraries for it.
struct Converted {
    child: Child,
    out: ChildStdout,
    is_over: bool,
}

fn parquet(path: &Path) -> io::Result<Converted> {
    let mut command = Command::new(sibling("smc-parquet"));
    command.arg("csv").arg(path).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = command.spawn().map_err(|error| {
        let how = "build it with `cargo build --release -p smc-parquet`";
        io::Error::other(format!("smc-parquet, which reads Parquet, does not start ({error}); {how}"))
    })?;
    let out = child.stdout.take().ok_or_else(|| io::Error::other("no output of smc-parquet"))?;
    Ok(Converted { child, out, is_over: false })
}

/// A program beside this one, else wherever the system finds it.
pub fn sibling(name: &str) -> PathBuf {
    let here = std::env::current_exe().ok();
    // Tests run from a folder below the programs.
    let beside = here.iter().flat_map(|here| here.ancestors().skip(1).take(2)).map(|dir| dir.join(name));
    beside.into_iter().find(|path| path.is_file()).unwrap_or_else(|| name.into())
}

impl Read for Converted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.out.read(buffer)?;
        if count == 0 && !std::mem::replace(&mut self.is_over, true) {
            let status = self.child.wait()?;
            if !status.success() {
                return Err(io::Error::other(format!("smc-parquet: {status}")));
            }
        }
        Ok(count)
    }
}

/// Lines of a text.
pub struct Lines {
    reader: Box<dyn BufRead>,
    line: Vec<u8>,
    number: u64,
}

/// Why a line could not be given.
#[derive(Debug)]
pub enum LineError {
    /// The file or its packing.
    Io(io::Error),
    /// Longer than any line of a format; it was passed over.
    TooLong,
    /// Not UTF-8.
    NotText,
}

impl Lines {
    /// Of a text.
    pub fn new(reader: Box<dyn BufRead>) -> Self {
        Self { reader, line: Vec::new(), number: 0 }
    }

    /// Number of the line given last, from 1.
    pub const fn number(&self) -> u64 {
        self.number
    }

    /// The next line without its end; none at the end of the text.
    pub fn read(&mut self) -> Option<Result<&str, LineError>> {
        self.line.clear();
        let mut is_long = false;
        loop {
            let chunk = match self.reader.fill_buf() {
                Ok(chunk) => chunk,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Some(Err(LineError::Io(error))),
            };
            if chunk.is_empty() {
                if self.line.is_empty() && !is_long {
                    return None;
                }
                break;
            }
            let end = chunk.iter().position(|&byte| byte == b'\n');
            let part = chunk.get(..end.unwrap_or(chunk.len())).unwrap_or_default();
            is_long |= self.line.len() + part.len() > LINE_BYTES_MAX;
            if !is_long {
                self.line.extend_from_slice(part);
            }
            let used = part.len() + usize::from(end.is_some());
            self.reader.consume(used);
            if end.is_some() {
                break;
            }
        }
        self.number += 1;
        if is_long {
            return Some(Err(LineError::TooLong));
        }
        if self.line.last() == Some(&b'\r') {
            self.line.pop();
        }
        let line = self.line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&self.line);
        Some(std::str::from_utf8(line).map_err(|_| LineError::NotText))
    }
}
