// Compares the stores with their rivals, and measures the memory store alone. Results go to stdout as Markdown.
//   npm run bench -- [--quick] [--only http,inProcess,checks,growth,redis,lease,start,simulate,adaptive] [--json FILE]
import { writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { measureAdaptive } from './adaptive/index.js'
import { endChildren } from './children.js'
import { judge } from './goals.js'
import { measureHttp } from './http/index.js'
import { measureInProcess } from './in-process/index.js'
import { measureLeases } from './lease/index.js'
import { describeMachine } from './machine.js'
import { measureChecks } from './micro/checks.js'
import { measureGrowth } from './micro/growth.js'
import { measureRedis } from './redis/index.js'
import { report } from './report.js'
import { full, quick } from './settings.js'
import { measureSimulate } from './simulate/index.js'
import { measureStart } from './start/index.js'

const measures = { http: measureHttp, inProcess: measureInProcess, checks: measureChecks, growth: measureGrowth, redis: measureRedis, lease: measureLeases, start: measureStart, simulate: measureSimulate, adaptive: measureAdaptive }

const { values: { quick: isQuick, only, json } } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string', default: Object.keys(measures).join(',') },
    json: { type: 'string' }
  }
})

const chosen = only.split(',')
for (const part of chosen) {
  if (!Object.hasOwn(measures, part)) throw new Error(`--only: expected some of ${Object.keys(measures).join(',')}, got ${part}`)
}

const settings = isQuick ? quick : full
const machine = describeMachine()
const parts = {}
try {
  for (const part of chosen) parts[part] = await measures[part](settings[part])
} finally {
  endChildren()
}

process.stderr.write(`${judge(parts).join('\n')}\n`)
if (json !== undefined) writeFileSync(json, `${JSON.stringify({ machine, isQuick, parts }, null, 2)}\n`)
process.stdout.write(`${report({ machine, isQuick, parts })}\n`)
