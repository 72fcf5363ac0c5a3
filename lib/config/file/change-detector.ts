import { stat } from 'node:fs/promises'
import { FST_SLUICE_UNREADABLE_FILE } from '../../errors.js'
import { readText } from './read-text.js'

/** A file that stays the same for this long counts as completely written. Milliseconds. */
export const QUIET_MS = 100
/** After this long a change is reported as it is, also while the file is still being written, empty or missing. Milliseconds. */
export const MAX_BURST_MS = 1000

/**
 * `unsettled`: the file has changed and may change again; check it after `QUIET_MS`. `changed`: it is to be read again, also
 * where it has become unreadable. `missing`: it is missing since the last check.
 */
export type CheckResult = 'unchanged' | 'unsettled' | 'changed' | 'missing'

/**
 * Detects that the content behind a path has changed: written in place, replaced by rename, reached through a swapped link,
 * deleted and created again. A file that is touched, or saved unchanged, has not changed.
 */
export class ChangeDetector {
  readonly #path: string
  /** What was loaded or reported last; `null` where there was no file. */
  #content: string | null
  /** The stamp of `#content`; `null` where it is not known. */
  #contentStamp: string | null = null
  #lastStamp: string | null = null
  /** For how long the file has been unsettled. */
  #burstMs = 0

  /** `loadedText`: `null` if there was no file. A difference from it is the first change, so none is lost before the first check. */
  constructor (path: string, loadedText: string | null) {
    this.#path = path
    this.#content = loadedText
  }

  /** Check the file once. Never rejects. */
  async check (): Promise<CheckResult> {
    const { stamp, isComplete } = await readStatus(this.#path)
    const isQuiet = stamp === this.#lastStamp
    this.#lastStamp = stamp
    if (stamp !== this.#contentStamp && !(isQuiet && isComplete) && this.#burstMs < MAX_BURST_MS) {
      this.#burstMs += QUIET_MS
      return 'unsettled'
    }
    this.#burstMs = 0
    return stamp === this.#contentStamp ? 'unchanged' : this.#compare(stamp, isQuiet)
  }

  #compare (stamp: string, isQuiet: boolean): CheckResult {
    const content = stamp === MISSING ? null : readContent(this.#path)
    // Deleted since its stamp was read: another file may take its place at once.
    if (content === null && stamp !== MISSING) return 'unchanged'
    // Two writes within one tick of the file system's clock give one stamp, so a file that is still being written is compared again.
    this.#contentStamp = isQuiet ? stamp : null
    if (content === this.#content) return 'unchanged'
    this.#content = content
    return content === null ? 'missing' : 'changed'
  }
}

const MISSING = 'missing'
// ELOOP: a link that leads back to itself leads nowhere, like a dangling one.
const MISSING_CODES: readonly unknown[] = ['ENOENT', 'ENOTDIR', 'ELOOP']

interface FileStatus {
  /** Equal stamps: the file did not change in between, as far as the file system's times can show. */
  readonly stamp: string
  /** False where the file is missing or empty: an editor or a slow copy is probably about to write it. */
  readonly isComplete: boolean
}

/** Never rejects. Asynchronous, so that a network file system that hangs does not block the process. */
async function readStatus (path: string): Promise<FileStatus> {
  try {
    const { dev, ino, size, mtimeNs, ctimeNs } = await stat(path, { bigint: true })
    // ctime too: a tool that keeps the mtime (rsync, cp -p), or changes only the permissions, cannot keep the ctime.
    return { stamp: [dev, ino, size, mtimeNs, ctimeNs].join(':'), isComplete: size > 0n }
  } catch (error) {
    const code = getErrorCode(error)
    return MISSING_CODES.includes(code) ? { stamp: MISSING, isComplete: false } : { stamp: String(code), isComplete: true }
  }
}

/** The text of the file, or why it cannot be read; `null` where it is missing. */
function readContent (path: string): string | null {
  try {
    return readText(path)
  } catch (error) {
    if (!(error instanceof FST_SLUICE_UNREADABLE_FILE)) throw error
    // Texts contain no NUL, so none of them equals a message.
    return MISSING_CODES.includes(getErrorCode(error.cause)) ? null : `\0${error.message}`
  }
}

function getErrorCode (error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : error
}
