/** Say what is being done, one line per step, apart from the results. */
export function progress (text) {
  process.stderr.write(`[${(performance.now() / 1000).toFixed(0).padStart(4)} s] ${text}\n`)
}
