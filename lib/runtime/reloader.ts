import { isDeepStrictEqual } from 'node:util'
import type { FastifyBaseLogger } from 'fastify'
import { readWallClockMs } from '../common/clock.js'
import { warnIfSilent } from '../common/log.js'
import { escapeUnprintable, toPrintable } from '../common/printable.js'
import { warnings } from '../errors.js'
import { onSighup } from './sighup.js'
import { watchFile, type FileWatch } from '../config/file/watch.js'
import { rejectFixedChanges, type Configuration } from '../config/configuration.js'
import { ConfigSnapshot, type SnapshotHolder } from './snapshot.js'
import type { ReloadSource } from '../observability/channels.js'
import { logReload, logSwitch } from '../observability/lifecycle-events.js'

/** The latest reload: what it has changed is in effect, or it was rejected. */
export interface LastReload {
  /** Milliseconds since 1970. */
  readonly atMs: number
  readonly isApplied: boolean
  /** The message of a rejected one, printable; else `null`. */
  readonly error: string | null
}

/** Characters of the message of a rejected reload that are kept. */
const MAX_ERROR_LENGTH = 400

/**
 * Replaces the snapshot by one with changed options, completely or not at all. A rejected reload is logged and counted,
 * and the old snapshot stays.
 */
export class Reloader {
  /** `null` before the first one. */
  lastReload: LastReload | null = null
  readonly #configuration: Configuration
  readonly #snapshots: SnapshotHolder
  readonly #log: FastifyBaseLogger
  #watch: FileWatch | null = null
  #offSighup: (() => void) | null = null

  constructor (configuration: Configuration, snapshots: SnapshotHolder, log: FastifyBaseLogger) {
    this.#configuration = configuration
    this.#snapshots = snapshots
    this.#log = log
  }

  /** `options`: replace those of the file. Without them, the file is read again. Throws the error of a rejected reload. */
  reload (source: ReloadSource, options?: unknown): void {
    const { current } = this.#snapshots
    const { name: registration, metrics } = current.services
    try {
      const merged = options === undefined ? this.#configuration.load() : this.#configuration.loadWith(options)
      rejectFixedChanges(current.merged, merged)
      this.#snapshots.current = new ConfigSnapshot(current.services, merged, current)
      current.services.backend.forgetRefusals()
      if (!isDeepStrictEqual(current.merged.options.redis, merged.options.redis)) {
        current.services.backend.setCredentials(merged.resolved.redis)
      }
    } catch (error) {
      metrics?.countReload('failure')
      const message = error instanceof Error ? error.message : String(error)
      this.lastReload = { atMs: readWallClockMs(), isApplied: false, error: toPrintable(message, MAX_ERROR_LENGTH) }
      logReload(this.#log, { registration, source, result: 'failure', error })
      throw error
    }
    metrics?.countReload('success')
    this.lastReload = { atMs: readWallClockMs(), isApplied: true, error: null }
    logReload(this.#log, { registration, source, result: 'success' })
  }

  /** Switch limits on or off for all new requests, independent of the layers, until they are switched back. */
  setEnabled (enabled: boolean): void {
    const { current } = this.#snapshots
    const { name: registration, backend } = current.services
    this.#snapshots.current = new ConfigSnapshot(current.services, this.#configuration.withEnabled(enabled, current.merged), current)
    backend.forgetRefusals()
    if (enabled !== current.isEnabled) logSwitch(this.#log, registration, enabled)
  }

  /** Reload when the file changes and, if `onSignal`, at SIGHUP, until `close`. `pollMs`: the poll interval of the file. */
  watch (onSignal: boolean, pollMs?: number): void {
    if (onSignal) this.#offSighup = onSighup(() => { this.#tryReload('signal') })
    const { file, text } = this.#configuration
    if (file === null) return
    this.#watch = watchFile(file, {
      loadedText: text,
      onChange: () => { this.#tryReload('file') },
      onMissing: () => {
        this.#log.warn({ file: escapeUnprintable(file) }, 'rate limit: the config file is missing; its last options stay in effect')
      },
      pollMs
    })
  }

  close (): void {
    this.#watch?.close()
    this.#offSighup?.()
  }

  #tryReload (source: ReloadSource): void {
    try {
      this.reload(source)
    } catch (error) {
      // The error is already logged and counted, and no caller awaits this reload.
      const reason = escapeUnprintable(error instanceof Error ? error.message : String(error))
      const message = `rate limit: the new configuration is refused, the old one stays: ${reason}`
      warnIfSilent(this.#log, 'error', message, { code: warnings.refusedReload })
    }
  }
}
