import type { Output } from '../common/process-environment.js'

/** A progress bar on a terminal. */
export class Progress {
  readonly #update: (bytes: number, lines: number) => void
  readonly #stop: () => void
  #bytes = 0

  /** `output`: where it is drawn, if it is a terminal. `sizeBytes`: `null` if it is unknown. */
  static async start (output: Output, sizeBytes: number | null): Promise<Progress> {
    if (output.isTTY !== true || !isStream(output)) return new Progress(() => {}, () => {})
    // Imported only for a terminal.
    const { default: { SingleBar, Presets } } = await import('cli-progress')
    const bar = new SingleBar({
      stream: output,
      format: sizeBytes === null ? '{lines} lines' : '{bar} {percentage}% | {lines} lines | {eta_formatted} left',
      clearOnComplete: true,
      hideCursor: true,
      etaBuffer: 50
    }, Presets.shades_classic)
    bar.start(sizeBytes ?? 0, 0, { lines: 0 })
    return new Progress((bytes, lines) => { bar.update(bytes, { lines }) }, () => { bar.stop() })
  }

  private constructor (update: (bytes: number, lines: number) => void, stop: () => void) {
    this.#update = update
    this.#stop = stop
  }

  /** `bytes`: read since the last call. `lines`: read in all. */
  advance (bytes: number, lines: number): void {
    this.#bytes += bytes
    this.#update(this.#bytes, lines)
  }

  stop (): void {
    this.#stop()
  }
}

function isStream (output: Output): output is Output & NodeJS.WritableStream {
  return 'on' in output && 'end' in output
}
