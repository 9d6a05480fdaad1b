//! The files of a zip whose directory, which stands at its end, is lost.
//!
//! Each file begins with a small header of its own; they are followed one by one up to the break.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use flate2::bufread::DeflateDecoder;

const HEADER: [u8; 4] = *b"PK\x03\x04";
const STORED: u16 = 0;
const DEFLATED: u16 = 8;

/// Where a file lies within the zip.
#[derive(Debug)]
pub struct Piece {
    offset: u64,
    method: u16,
    /// The length within the zip.
    packed: u64,
    /// The length as read.
    pub len: u64,
    /// The checksum, as far as the header says.
    pub stamp: i64,
}

impl Piece {
    /// Opens the file; at the break it ends with an error.
    pub fn open(&self, zip: &Path) -> io::Result<Box<dyn BufRead>> {
        let mut file = File::open(zip)?;
        file.seek(SeekFrom::Start(self.offset))?;
        let packed = BufReader::new(file.take(self.packed));
        if self.method == STORED {
            Ok(Box::new(packed))
        } else {
            Ok(Box::new(BufReader::new(DeflateDecoder::new(packed))))
        }
    }
}

/// Returns the files before the break, by name.
pub fn pieces(zip: &Path) -> io::Result<Vec<(String, Piece)>> {
    let mut file = BufReader::new(File::open(zip)?);
    let end = file.seek(SeekFrom::End(0))?;
    let mut at = 0;
    let mut pieces = Vec::new();
    while let Some((name, piece, next)) = piece_at(&mut file, at, end)? {
        if !name.ends_with('/') && matches!(piece.method, STORED | DEFLATED) {
            pieces.push((name, piece));
        }
        at = next;
    }
    Ok(pieces)
}

/// Reads the header at a place; nothing when the break or the directory begins there.
fn piece_at(
    file: &mut BufReader<File>,
    at: u64,
    end: u64,
) -> io::Result<Option<(String, Piece, u64)>> {
    file.seek(SeekFrom::Start(at))?;
    let mut header = [0_u8; 30];
    if file.read_exact(&mut header).is_err() || header[..4] != HEADER {
        return Ok(None);
    }
    let short = |at: usize| u16::from_le_bytes([header[at], header[at + 1]]);
    let long = |at: usize| {
        u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]])
    };
    let mut name = vec![0; usize::from(short(26))];
    let mut extra = vec![0; usize::from(short(28))];
    if file.read_exact(&mut name).is_err() || file.read_exact(&mut extra).is_err() {
        return Ok(None);
    }
    let offset = at + 30 + name.len() as u64 + extra.len() as u64;
    let mut piece = Piece {
        offset,
        method: short(8),
        packed: u64::from(long(18)),
        len: u64::from(long(22)),
        stamp: i64::from(long(14)),
    };
    // A zip written as a stream says the lengths behind the data; then the data has to be walked through.
    const IS_STREAMED: u16 = 8;
    let is_unknown = short(6) & IS_STREAMED != 0 || long(18) == u32::MAX;
    let next = if is_unknown && piece.method == DEFLATED {
        let mut decoder = DeflateDecoder::new(&mut *file);
        piece.len = io::copy(&mut decoder, &mut io::sink()).unwrap_or(0);
        piece.packed = decoder.total_in();
        if piece.len == 0 && piece.packed == 0 {
            piece.packed = end - offset;
        }
        next_header(file, offset + piece.packed)?
    } else {
        offset + piece.packed
    };
    if offset + piece.packed > end {
        piece.packed = end - offset;
    }
    Ok(Some((
        String::from_utf8_lossy(&name).into_owned(),
        piece,
        next.min(end),
    )))
}

/// Returns where the next header begins, within the few bytes a description of the lengths takes.
fn next_header(file: &mut BufReader<File>, at: u64) -> io::Result<u64> {
    file.seek(SeekFrom::Start(at))?;
    let mut bytes = Vec::new();
    file.take(64).read_to_end(&mut bytes)?;
    let found = bytes.windows(4).position(|window| window == HEADER);
    Ok(found.map_or(u64::MAX, |found| at + found as u64))
}
