import { watch } from 'node:fs'
import { findWatchTargets, type WatchTarget } from './watch-targets.js'
import { isMissing } from './file-fingerprint.js'

/** What is used of an `fs.FSWatcher`. */
export interface Watcher {
  on (event: 'error', listener: (error: Error) => void): unknown
  close (): void
}

/** Opens a watcher of one directory or file, as `fs.watch` does: may throw, may emit 'error'. */
export type OpenWatcher = (path: string, onEvent: () => void) => Watcher

/** The kernel's. What changed is not asked: the name is missing or short on some systems, and a link's is not the file's. */
export const openWatcher: OpenWatcher = (path, onEvent) => watch(path, { persistent: false }, () => { onEvent() })

/**
 * The watchers of all places on the way to a file. An event says only that it is worth looking.
 *
 * Linux tells of entries and of writes in a watched directory; Windows too, but of a deleted directory it may tell
 * without end until it is closed, or fail with EPERM. Network and some container mounts tell nothing.
 */
export class WatchEvents {
  readonly #path: string
  readonly #open: OpenWatcher
  readonly #onEvent: () => void
  readonly #watchers = new Map<string, Watcher>()
  /** Not opened again until `forgive`: a watcher that fails as soon as it is open must not keep us busy. */
  readonly #failures = new Map<string, Error>()
  #isClosed = false

  /** `path`: absolute. */
  constructor (path: string, open: OpenWatcher, onEvent: () => void) {
    this.#path = path
    this.#open = open
    this.#onEvent = onEvent
  }

  /** Why some place is not watched; `null` when all are. A place that has gone is no failure. */
  get failure (): Error | null {
    for (const error of this.#failures.values()) if (!isMissing(error)) return error
    return null
  }

  /** Whether some place could not be watched. */
  get isPartial (): boolean {
    return this.#failures.size > 0
  }

  /** Watch the places that are on the way now, and no others. A change after this is told or can be seen. Never rejects. */
  async sync (): Promise<void> {
    const targets = await findWatchTargets(this.#path)
    if (this.#isClosed) return
    const identities = new Set(targets.map(({ identity }) => identity))
    for (const identity of this.#watchers.keys()) if (!identities.has(identity)) this.#closeWatcher(identity)
    for (const identity of this.#failures.keys()) if (!identities.has(identity)) this.#failures.delete(identity)
    for (const target of targets) {
      if (!this.#watchers.has(target.identity) && !this.#failures.has(target.identity)) this.#openWatcher(target)
    }
  }

  /** Let `follow` try again what has failed. */
  retryFailed (): void {
    this.#failures.clear()
  }

  close (): void {
    this.#isClosed = true
    for (const identity of this.#watchers.keys()) this.#closeWatcher(identity)
  }

  #openWatcher ({ path, identity }: WatchTarget): void {
    try {
      const watcher = this.#open(path, this.#onEvent)
      this.#watchers.set(identity, watcher)
      watcher.on('error', (error) => {
        // One that was given up has no more to say.
        if (this.#watchers.get(identity) !== watcher) return
        this.#closeWatcher(identity)
        this.#failures.set(identity, error)
        this.#onEvent()
      })
    } catch (error) {
      this.#failures.set(identity, error instanceof Error ? error : new Error(String(error)))
    }
  }

  #closeWatcher (identity: string): void {
    this.#watchers.get(identity)?.close()
    this.#watchers.delete(identity)
  }
}
