import { print, type ProcessEnvironment } from '../common/process-environment.js'
import type { SimulateOptions } from '../common/simulate-options.js'
import { escapeUnprintable } from '../../common/printable.js'
import { loadTemporal } from '../../calendar/temporal.js'
import { createClientLabeler } from '../../observability/refusal-log/client-label.js'
import { loadSources } from './load-sources.js'
import { LogEntries } from './log/log-entries.js'
import { measureFiles, readLines } from './log/log-source.js'
import { Progress } from './progress.js'
import { formatText } from './report/format-text.js'
import { formatHtml } from './report/format-html.js'
import type { SimulationReport } from './report/report.js'
import { Simulation } from './simulation.js'
import { Flips } from './stats/flips.js'

/** Replay the logs and print the report. Returns whether the config is valid, the logs are readable, and no share is too high. */
export async function runSimulation (options: SimulateOptions, host: ProcessEnvironment): Promise<boolean> {
  const { config, against, format } = options
  const { stdout, stderr } = host
  const environment = options.env ? host.env : null
  const sources = loadSources(config, environment)
  const other = against === null ? null : loadSources(against, environment)
  const mistakes = [sources, other].flatMap((loaded) => loaded !== null && 'mistakes' in loaded ? loaded.mistakes : [])
  if ('mistakes' in sources || (other !== null && 'mistakes' in other)) {
    print(stderr, [...new Set(mistakes)])
    return false
  }
  await loadTemporal()
  const formatClient = createClientLabeler({ hashClients: options.hash, hashSecret: null })
  try {
    const flips = other === null ? null : new Flips(options.flips, formatClient)
    const simulation = new Simulation({ config: sources, against: other, flips })
    const problems = await replayLogs(options, simulation, host)
    const report = simulation.report(options, formatClient)
    print(stderr, problems)
    const isComplete = problems.length === 0
    print(stdout, formatReport({ ...report, ok: report.ok && isComplete }, format))
    return report.ok && isComplete
  } catch (error) {
    // An error of the system, such as a file for the flips that cannot be written.
    if (!(error instanceof Error && 'syscall' in error)) throw error
    print(stderr, [`fastify-sluice: ${escapeUnprintable(error.message)}`])
    return false
  }
}

function formatReport (report: SimulationReport, format: SimulateOptions['format']): readonly string[] {
  switch (format) {
    case 'text': return formatText(report)
    case 'json': return [JSON.stringify(report, null, 2)]
    case 'html': return [formatHtml(report)]
    default: return format satisfies never
  }
}

/** Returns a line for each log that could not be read to its end. */
async function replayLogs (
  { logs, reorderMs }: SimulateOptions, simulation: Simulation, { stdin, stderr }: ProcessEnvironment
): Promise<string[]> {
  const entries = new LogEntries(reorderMs * 1000, (batch) => { simulation.addAll(batch) })
  const problems: string[] = []
  const sizeBytes = await measureFiles(logs).catch(() => null)
  const progress = await Progress.start(stderr, sizeBytes)
  for (const file of logs) {
    entries.beginFile()
    try {
      await readLines({
        file,
        stdin,
        onLine: (block, start, end, isTooLong) => { entries.addLine(block, start, end, isTooLong) },
        onProgress: (bytes) => { progress.advance(bytes, entries.counts.lines) }
      })
    } catch (error) {
      if (!isReadError(error)) throw error
      problems.push(`fastify-sluice: ${escapeUnprintable(`${file}: ${error.message}`)}`)
    }
  }
  entries.flush()
  progress.stop()
  simulation.finish(logs, entries.counts)
  return problems
}

/** An error of the system, or of data that is no gzip to its end. */
function isReadError (error: unknown): error is Error {
  return error instanceof Error && 'code' in error && ('syscall' in error || /^Z_|^ERR_STREAM_/.test(String(error.code)))
}
