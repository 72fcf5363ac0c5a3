import { readSources } from '../../../lib/cli/common/read-sources.js'
import { LogEntries, type LineCounts } from '../../../lib/cli/simulate/log/log-entries.js'
import type { LogEntry } from '../../../lib/cli/simulate/log/log-entry.js'
import { LineSplitter } from '../../../lib/cli/simulate/log/split-lines.js'
import { CODE } from '../../../lib/cli/simulate/load-sources.js'
import { Replay } from '../../../lib/cli/simulate/replay/replay.js'
import { findOutcome } from '../../../lib/cli/simulate/stats/tally.js'

/** The requests of a log, in the order in which they are replayed. */
export function parseLog (text: string, windowUs = 0): { readonly entries: readonly LogEntry[], readonly counts: LineCounts } {
  const entries: LogEntry[] = []
  const log = new LogEntries(windowUs, (batch) => { entries.push(...batch) })
  const splitter = new LineSplitter((...line) => { log.addLine(...line) })
  splitter.push(Buffer.from(text))
  splitter.end()
  log.flush()
  return { entries, counts: log.counts }
}

/** The outcome of each request of a log under a config file, and the limit that refused it. */
export function replayLog (text: string, file: string, windowUs = 0): string[] {
  const sources = readSources(file, null, CODE)
  if (!('merged' in sources)) throw sources[0]
  const replay = new Replay(sources)
  try {
    return parseLog(text, windowUs).entries.map((entry) => {
      const { decision } = replay.decide(entry)
      return [findOutcome(entry, decision), ...decision?.isRefused === true ? [decision.limitName] : []].join(' ')
    })
  } finally {
    replay.close()
  }
}
