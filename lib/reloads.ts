import type { FastifyBaseLogger } from 'fastify'
import { onHangUp } from './config/hang-up.js'
import { watchFile, type FileWatch } from './config/watch.js'
import { refuseFixed, type Configuration } from './configuration.js'
import { Edition } from './edition.js'
import type { Editions } from './editions.js'
import type { ReloadSource } from './observability/channels.js'
import { tellReload, tellSwitch } from './observability/log-changes.js'

/**
 * Exchanges the edition for one of changed options: whole or not at all. What is refused is logged and counted, and the
 * old edition stays.
 */
export class Reloads {
  readonly #configuration: Configuration
  readonly #editions: Editions
  readonly #log: FastifyBaseLogger
  #watch: FileWatch | null = null
  #ignoreSignal: (() => void) | null = null

  constructor (configuration: Configuration, editions: Editions, log: FastifyBaseLogger) {
    this.#configuration = configuration
    this.#editions = editions
    this.#log = log
  }

  /** `options`: what stands in the place of the file's; without, the file is read anew. Throws what is wrong. */
  reload (source: ReloadSource, options?: unknown): void {
    const { current } = this.#editions
    const { name: registration, metrics } = current.fixtures
    try {
      const layered = options === undefined ? this.#configuration.load() : this.#configuration.loadWith(options)
      refuseFixed(current.layered, layered)
      this.#editions.current = new Edition(current.fixtures, layered, current)
      current.fixtures.backend.forgetRefusals()
    } catch (error) {
      metrics?.countReload('failure')
      tellReload(this.#log, { registration, source, result: 'failure', error })
      throw error
    }
    metrics?.countReload('success')
    tellReload(this.#log, { registration, source, result: 'success' })
  }

  /** Switch limits on or off for the requests that come from now on, whatever the layers say, until they are switched back. */
  switchTo (enabled: boolean): void {
    const { current } = this.#editions
    const { name: registration, backend } = current.fixtures
    this.#editions.current = new Edition(current.fixtures, this.#configuration.switchedTo(enabled, current.layered), current)
    backend.forgetRefusals()
    if (enabled !== current.isEnabled) tellSwitch(this.#log, registration, enabled)
  }

  /** Reload whenever the file changes, and `onSignal` at SIGHUP, until `close`. */
  watch (onSignal: boolean): void {
    if (onSignal) this.#ignoreSignal = onHangUp(() => { this.#tryReload('signal') })
    const { file, text } = this.#configuration
    if (file === null) return
    this.#watch = watchFile(file, {
      seen: text,
      onChange: () => { this.#tryReload('file') },
      onMissing: () => { this.#log.warn({ file }, 'rate limit: the config file has gone, what it said stays') },
      onError: (err) => { this.#log.warn({ err, file }, 'rate limit: no events of the config file, it is looked at every few seconds') }
    })
  }

  close (): void {
    this.#watch?.close()
    this.#ignoreSignal?.()
  }

  #tryReload (source: ReloadSource): void {
    try {
      this.reload(source)
    } catch {
      // It is logged and counted; nobody waits for it.
    }
  }
}
