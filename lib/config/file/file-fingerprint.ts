import { readFile, realpath, stat } from 'node:fs/promises'

/**
 * What a path leads to, seen from outside. Two equal prints: nothing has happened in between, as far as the file
 * system's times can tell. `other` is what cannot be compared by its content: a directory, a path that may not be followed.
 */
export type Sight =
  | { readonly kind: 'missing', readonly print: string }
  | { readonly kind: 'file', readonly print: string, readonly bytes: number }
  | { readonly kind: 'other', readonly print: string }

export const MISSING: Sight = { kind: 'missing', print: 'missing' }

/** A longer file is not compared, and not kept in memory: no configuration is that long. 1 MiB. */
const MOST_COMPARED_BYTES = 2 ** 20

// ELOOP: a link that leads back to itself leads nowhere, like one whose end was deleted.
const MISSING_CODES: readonly unknown[] = ['ENOENT', 'ENOTDIR', 'ELOOP']

/** Never rejects. Asynchronous, so that a network file system that hangs does not hold up the process. */
export async function sightOf (path: string): Promise<Sight> {
  try {
    const [stats, place] = await Promise.all([stat(path, { bigint: true }), realpath(path)])
    const print = `${place}:${stats.dev}:${stats.ino}:${stats.mode}`
    // The times of a directory tell of other files.
    if (!stats.isFile()) return { kind: 'other', print }
    // ctime too: whoever keeps the mtime (rsync, cp -p) or changes only who may read cannot keep that.
    return { kind: 'file', print: `${print}:${stats.size}:${stats.mtimeNs}:${stats.ctimeNs}`, bytes: Number(stats.size) }
  } catch (error) {
    return isMissing(error) ? MISSING : { kind: 'other', print: `cannot be looked at: ${codeOf(error)}` }
  }
}

/** The content of a file; `null` where it is not compared or cannot be read, `'gone'` where the file has just left. Never rejects. */
export async function contentOf (path: string, sight: Sight): Promise<Buffer | 'gone' | null> {
  // Reading a named pipe would wait for a writer.
  if (sight.kind !== 'file' || sight.bytes > MOST_COMPARED_BYTES) return null
  try {
    return await readFile(path)
  } catch (error) {
    return isMissing(error) ? 'gone' : null
  }
}

export function isMissing (error: unknown): boolean {
  return MISSING_CODES.includes(codeOf(error))
}

function codeOf (error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : error
}
