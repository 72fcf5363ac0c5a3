import { isAbsolute, sep } from 'node:path'
import { openWatcher, WatchEvents, type OpenWatcher } from './watch-events.js'
import { readContent, MISSING, readFingerprint, type FileFingerprint } from './file-fingerprint.js'

/** For so long a file must stay as it is before it counts as written to its end. Milliseconds. */
export const QUIET_MS = 100
/** After so long it is told as it is, also when it is still being written, empty or missing. Milliseconds. */
export const MAX_BURST_MS = 1000
/** The pause after a burst that changed nothing: a log file beside the configuration must not keep us busy. Milliseconds. */
const BURST_PAUSE_MS = 1000
/** How often the file is looked at without any event. That costs two file calls, which do not hold up the process. Milliseconds. */
export const POLL_MS = 5000

/** None of the callbacks may throw. */
export interface FileWatchOptions {
  /**
   * The content that was loaded, `null` if there was no file: what differs from it at the start is told as well, so that
   * no change is lost between loading and watching.
   */
  readonly loadedContent: string | Uint8Array | null
  /** The file holds something else, or is back after `onMissing`: read it again. Also told for what cannot be read. */
  readonly onChange: () => void
  /** The file has gone. Once, until it is back. */
  readonly onMissing?: () => void
  /** The system gives no events (EMFILE, ENOSPC, EPERM, ...), so that changes are seen by polling only. Once at most. */
  readonly onError?: (error: Error) => void
  /** Milliseconds. Default `POLL_MS`. */
  readonly pollMs?: number
  /** Where events come from. Default `fs.watch`. */
  readonly open?: OpenWatcher
}

export interface FileWatch {
  /** End all of it. No callback is called afterwards. */
  close (): void
}

/**
 * Tells when the content behind a path has changed: written in place, replaced by rename, reached through a link that
 * was swapped, deleted and created again. A touched file, or one that was saved unchanged, is not told.
 *
 * Events make it quick, a slow poll makes it sure. A burst of changes is told once it has been quiet for `QUIET_MS`,
 * and after `MAX_BURST_MS` in any case. Keeps no process alive.
 */
export function watchFile (path: string, options: FileWatchOptions): FileWatch {
  const watch = new Watch(path, options)
  return { close: () => { watch.close() } }
}

interface FileState {
  readonly fingerprint: FileFingerprint
  readonly content: Buffer | null
}

class Watch {
  readonly #path: string
  readonly #options: FileWatchOptions
  readonly #events: WatchEvents
  readonly #poller: NodeJS.Timeout
  #pause: NodeJS.Timeout | null = null
  /** What was told last. */
  #known: FileState
  /** Since the last look. */
  #isTouched = true
  #isBusy = false
  #hasReportedError = false
  #isClosed = false

  constructor (path: string, options: FileWatchOptions) {
    // Not normalized: `..` behind a link means the directory that the link leads to.
    this.#path = isAbsolute(path) ? path : `${process.cwd()}${sep}${path}`
    this.#options = options
    this.#known = options.loadedContent === null
      ? { fingerprint: MISSING, content: null }
      : { fingerprint: { kind: 'file', stamp: 'as it was loaded', bytes: 0 }, content: Buffer.from(options.loadedContent) }
    this.#events = new WatchEvents(this.#path, options.open ?? openWatcher, () => { this.#touch() })
    this.#poller = setInterval(() => { this.#poll() }, options.pollMs ?? POLL_MS).unref()
    this.#work()
  }

  close (): void {
    this.#isClosed = true
    this.#events.close()
    clearInterval(this.#poller)
    if (this.#pause !== null) clearTimeout(this.#pause)
  }

  #touch (): void {
    this.#isTouched = true
    if (!this.#isBusy) this.#work()
  }

  /** One at a time: on a file system that hangs, the next look waits for the last. */
  async #poll (): Promise<void> {
    if (this.#isBusy) return
    this.#isBusy = true
    const { stamp } = await readFingerprint(this.#path)
    this.#isBusy = false
    const isPartial = this.#events.isPartial
    if (isPartial) this.#events.retryFailed()
    if (isPartial || this.#isTouched || stamp !== this.#known.fingerprint.stamp) this.#touch()
  }

  async #work (): Promise<void> {
    this.#isBusy = true
    while (this.#isTouched && !this.#isClosed) {
      const hasReported = await this.#awaitQuiet()
      if (this.#isTouched && !hasReported) await this.#sleep(BURST_PAUSE_MS)
    }
    this.#isBusy = false
  }

  /** Look until nothing moves any more, then compare. Answers whether something was told. */
  async #awaitQuiet (): Promise<boolean> {
    let before: string | null = null
    for (let passedMs = 0; ; passedMs += QUIET_MS) {
      this.#isTouched = false
      await this.#events.sync()
      const fingerprint = await readFingerprint(this.#path)
      if (this.#isClosed) return false
      this.#reportFailure()
      const isQuiet = fingerprint.stamp === before && (isComplete(fingerprint) || fingerprint.stamp === this.#known.fingerprint.stamp)
      if (isQuiet || passedMs >= MAX_BURST_MS) return this.#compare(fingerprint)
      before = fingerprint.stamp
      await this.#sleep(QUIET_MS)
    }
  }

  async #compare (fingerprint: FileFingerprint): Promise<boolean> {
    // After the print: what is written in between makes the print an old one, which is looked at again.
    const content = await readContent(this.#path, fingerprint)
    if (this.#isClosed) return false
    if (content === 'gone') {
      this.#isTouched = true
      return false
    }
    const known = this.#known
    this.#known = { fingerprint, content }
    if (isSame(known, this.#known)) return false
    if (fingerprint.kind === 'missing') this.#options.onMissing?.()
    else this.#options.onChange()
    return true
  }

  #reportFailure (): void {
    const failure = this.#events.failure
    if (failure === null || this.#hasReportedError) return
    this.#hasReportedError = true
    this.#options.onError?.(failure)
  }

  /** Does not end once the watch is closed. */
  #sleep (ms: number): Promise<void> {
    return new Promise((resolve) => { if (!this.#isClosed) this.#pause = setTimeout(resolve, ms).unref() })
  }
}

/** A file that is empty or away is most likely about to be written, by an editor or a slow copy. */
function isComplete (fingerprint: FileFingerprint): boolean {
  return fingerprint.kind === 'other' || (fingerprint.kind === 'file' && fingerprint.bytes > 0)
}

function isSame (a: FileState, b: FileState): boolean {
  // The content decides even where the prints are equal: a write within one tick of the file system's clock leaves no trace there.
  if (a.content !== null && b.content !== null) return a.content.equals(b.content)
  return a.fingerprint.stamp === b.fingerprint.stamp
}
