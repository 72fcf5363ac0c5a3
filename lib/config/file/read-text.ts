import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs'
import { isAbsolute } from 'node:path'
import { FST_SLUICE_UNREADABLE_FILE } from '../../errors.js'

/** 1 MiB: a thousand rules fit in a quarter of it. */
const MAX_BYTES = 1_048_576

/** Plain messages for the system's error codes. */
const ERROR_TEXTS: Readonly<Record<string, string>> = {
  ENOENT: 'does not exist',
  ENOTDIR: 'does not exist, since a part of its path is a file',
  EACCES: 'may not be read by this process',
  EPERM: 'may not be read by this process',
  ELOOP: 'is a symbolic link that leads back to itself',
  ENXIO: 'is not a regular file'
}

/**
 * Read the text of a config file, without a byte order mark. Never waits: a pipe or a device is refused, not read.
 *
 * Throws FST_SLUICE_UNREADABLE_FILE with the path as it was given; its `cause` is the system's error, if there was one
 * (`ENOENT` for a missing file).
 */
export function readText (path: string): string {
  return decodeText(path, readBytes(path))
}

function readBytes (path: string): Buffer {
  try {
    // Without O_NONBLOCK, opening a pipe would block until another process opens it for writing.
    const file = openSync(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0))
    try {
      return readOpenFile(path, file)
    } finally {
      closeSync(file)
    }
  } catch (cause) {
    if (cause instanceof FST_SLUICE_UNREADABLE_FILE) throw cause
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown'
    throw new FST_SLUICE_UNREADABLE_FILE(path, (ERROR_TEXTS[code] ?? `cannot be read (${code})`) + formatFolder(code, path), { cause })
  }
}

/** The folder where a relative path was looked up: the working directory may be another one than the service's folder. */
function formatFolder (code: string, path: string): string {
  return code === 'ENOENT' && !isAbsolute(path) ? ` in ${process.cwd()}` : ''
}

function readOpenFile (path: string, file: number): Buffer {
  const status = fstatSync(file)
  if (status.isDirectory()) throw new FST_SLUICE_UNREADABLE_FILE(path, 'is a directory, not a file')
  if (!status.isFile()) throw new FST_SLUICE_UNREADABLE_FILE(path, 'is not a regular file')
  if (status.size > MAX_BYTES) throw createTooLargeError(path, status.size)
  // The file may have grown since, and some special files report a size of 0.
  const bytes = Buffer.alloc(MAX_BYTES + 1)
  let length = 0
  for (let read = -1; read !== 0 && length <= MAX_BYTES; length += read) read = readSync(file, bytes, length, bytes.length - length, null)
  if (length > MAX_BYTES) throw createTooLargeError(path, length)
  return bytes.subarray(0, length)
}

function createTooLargeError (path: string, bytes: number): Error {
  // Rounded up: otherwise one byte too many would be shown as the maximum itself.
  return new FST_SLUICE_UNREADABLE_FILE(path, `is ${(Math.ceil(bytes / 100_000) / 10).toFixed(1)} MB; a config file may have 1 MiB at most`)
}

function decodeText (path: string, bytes: Buffer): string {
  const isUtf16 = bytes.length >= 2 && [0xfeff, 0xfffe].includes(bytes.readUInt16BE(0))
  if (isUtf16) throw new FST_SLUICE_UNREADABLE_FILE(path, 'is UTF-16 text; save it as UTF-8')
  if (bytes.includes(0)) throw new FST_SLUICE_UNREADABLE_FILE(path, 'contains NUL bytes, so it is not a text file')
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw new FST_SLUICE_UNREADABLE_FILE(path, 'is not UTF-8 text')
  }
}
