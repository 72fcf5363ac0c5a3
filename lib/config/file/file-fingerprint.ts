import { readFile, realpath, stat } from 'node:fs/promises'

/**
 * What a path leads to, seen from outside. Two equal prints: nothing has happened in between, as far as the file
 * system's times can tell. `other` is what cannot be compared by its content: a directory, a path that may not be followed.
 */
export type FileFingerprint =
  | { readonly kind: 'missing', readonly stamp: string }
  | { readonly kind: 'file', readonly stamp: string, readonly bytes: number }
  | { readonly kind: 'other', readonly stamp: string }

export const MISSING: FileFingerprint = { kind: 'missing', stamp: 'missing' }

/** A longer file is not compared, and not kept in memory: no configuration is that long. 1 MiB. */
const MAX_COMPARED_BYTES = 2 ** 20

// ELOOP: a link that leads back to itself leads nowhere, like one whose end was deleted.
const MISSING_CODES: readonly unknown[] = ['ENOENT', 'ENOTDIR', 'ELOOP']

/** Never rejects. Asynchronous, so that a network file system that hangs does not hold up the process. */
export async function readFingerprint (path: string): Promise<FileFingerprint> {
  try {
    const [stats, realPath] = await Promise.all([stat(path, { bigint: true }), realpath(path)])
    const stamp = `${realPath}:${stats.dev}:${stats.ino}:${stats.mode}`
    // The times of a directory tell of other files.
    if (!stats.isFile()) return { kind: 'other', stamp }
    // ctime too: whoever keeps the mtime (rsync, cp -p) or changes only who may read cannot keep that.
    return { kind: 'file', stamp: `${stamp}:${stats.size}:${stats.mtimeNs}:${stats.ctimeNs}`, bytes: Number(stats.size) }
  } catch (error) {
    return isMissing(error) ? MISSING : { kind: 'other', stamp: `cannot be looked at: ${getErrorCode(error)}` }
  }
}

/** The content of a file; `null` where it is not compared or cannot be read, `'gone'` where the file has just left. Never rejects. */
export async function readContent (path: string, fingerprint: FileFingerprint): Promise<Buffer | 'gone' | null> {
  // Reading a named pipe would wait for a writer.
  if (fingerprint.kind !== 'file' || fingerprint.bytes > MAX_COMPARED_BYTES) return null
  try {
    return await readFile(path)
  } catch (error) {
    return isMissing(error) ? 'gone' : null
  }
}

export function isMissing (error: unknown): boolean {
  return MISSING_CODES.includes(getErrorCode(error))
}

function getErrorCode (error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : error
}
