import type { FastifyBaseLogger } from 'fastify'
import { onSighup } from './sighup.js'
import { watchFile, type FileWatch } from '../config/file/watch.js'
import { rejectFixedChanges, type Configuration } from '../config/configuration.js'
import { ConfigSnapshot } from './snapshot.js'
import type { SnapshotHolder } from '../runtime/snapshot.js'
import type { ReloadSource } from '../observability/channels.js'
import { logReload, logSwitch } from '../observability/lifecycle-events.js'

/**
 * Exchanges the snapshot for one of changed options: whole or not at all. What is refused is logged and counted, and the
 * old snapshot stays.
 */
export class Reloader {
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

  /** `options`: what stands in the place of the file's; without, the file is read anew. Throws what is wrong. */
  reload (source: ReloadSource, options?: unknown): void {
    const { current } = this.#snapshots
    const { name: registration, metrics } = current.services
    try {
      const merged = options === undefined ? this.#configuration.load() : this.#configuration.loadWith(options)
      rejectFixedChanges(current.merged, merged)
      this.#snapshots.current = new ConfigSnapshot(current.services, merged, current)
      current.services.backend.forgetRefusals()
    } catch (error) {
      metrics?.countReload('failure')
      logReload(this.#log, { registration, source, result: 'failure', error })
      throw error
    }
    metrics?.countReload('success')
    logReload(this.#log, { registration, source, result: 'success' })
  }

  /** Switch limits on or off for the requests that come from now on, whatever the layers say, until they are switched back. */
  setEnabled (enabled: boolean): void {
    const { current } = this.#snapshots
    const { name: registration, backend } = current.services
    this.#snapshots.current = new ConfigSnapshot(current.services, this.#configuration.withEnabled(enabled, current.merged), current)
    backend.forgetRefusals()
    if (enabled !== current.isEnabled) logSwitch(this.#log, registration, enabled)
  }

  /** Reload whenever the file changes, and `onSignal` at SIGHUP, until `close`. */
  watch (onSignal: boolean): void {
    if (onSignal) this.#offSighup = onSighup(() => { this.#tryReload('signal') })
    const { file, text } = this.#configuration
    if (file === null) return
    this.#watch = watchFile(file, {
      loadedContent: text,
      onChange: () => { this.#tryReload('file') },
      onMissing: () => { this.#log.warn({ file }, 'rate limit: the config file has gone, what it said stays') },
      onError: (err) => { this.#log.warn({ err, file }, 'rate limit: no events of the config file, it is looked at every few seconds') }
    })
  }

  close (): void {
    this.#watch?.close()
    this.#offSighup?.()
  }

  #tryReload (source: ReloadSource): void {
    try {
      this.reload(source)
    } catch {
      // It is logged and counted; nobody waits for it.
    }
  }
}
