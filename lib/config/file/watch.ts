import { isAbsolute, sep } from 'node:path'
import { ChangeDetector, QUIET_MS } from './change-detector.js'

/** The time between two checks: an operator sees a change within a second, for two `stat` calls a second. Milliseconds. */
export const POLL_MS = 500

/** None of the callbacks may throw. */
export interface FileWatchOptions {
  /** The text that was loaded; `null` if there was no file. A difference from it is reported, so no change is lost before the watch. */
  readonly loadedText: string | null
  /** The content differs from the last one, or the file is back after `onMissing`: read it again. Also called for an unreadable file. */
  readonly onChange: () => void
  /** The file is missing. Called once, until the file is back. */
  readonly onMissing?: () => void
  /** Milliseconds. Default `POLL_MS`. */
  readonly pollMs?: number
}

export interface FileWatch {
  /** Stop the watch. No callback is called afterwards. */
  close (): void
}

/**
 * Reports each change of the file behind a path, as `ChangeDetector` finds it. Does not keep the process alive.
 *
 * Not built on `fs.watchFile`. It resolves `..` before symbolic links, and shares one watcher per path with the whole process:
 * another caller's interval would apply here, and another caller's `fs.unwatchFile(path)` would end this watch.
 */
export function watchFile (path: string, { loadedText, onChange, onMissing, pollMs = POLL_MS }: FileWatchOptions): FileWatch {
  // Not normalized: `..` behind a link means the parent of the directory that the link leads to.
  const detector = new ChangeDetector(isAbsolute(path) ? path : `${process.cwd()}${sep}${path}`, loadedText)
  let timer: NodeJS.Timeout | undefined
  let isClosed = false

  /** The next check is planned after this one: on a file system that hangs, no calls pile up. */
  async function check (): Promise<void> {
    const result = await detector.check()
    if (isClosed) return
    timer = setTimeout(check, result === 'unsettled' ? QUIET_MS : pollMs).unref()
    if (result === 'changed') onChange()
    if (result === 'missing') onMissing?.()
  }

  check()
  return {
    close () {
      isClosed = true
      clearTimeout(timer)
    }
  }
}
