// npm run demo:llm-tokens  budgets in tokens of a language model, reserved before and settled after; ends by itself, with
//                          exit code 0 only if exactly what was used counts
import { formatColumns } from '../shared/columns.js'
import { rows, sendRow } from './asks.js'
import { budgets, buildServer } from './server.js'

const app = await buildServer()
const origin = await app.listen({ port: 0, host: '127.0.0.1' })
const outcomes = []
for (const row of rows) outcomes.push(await sendRow(app, origin, row))
await app.close()

console.log(`POST /complete, ${budgets.hourly} units an hour for each user, ${budgets.together} a minute for all:\n`)
console.log(formatColumns([
  ['user', 'request', 'reserved', 'answered', 'refused', 'used', 'left'],
  ...outcomes.map(({ row, reserved, allowed, refused, used, left }) => [
    row.user, row.what, `${reserved}${(row.times ?? 1) > 1 ? ' each' : ''}`, String(allowed), refused > 0 ? `${refused} by '${row.refusedBy}'` : '0', String(used), String(left)
  ])
]))

const broken = outcomes.flatMap((outcome) => outcome.broken)
for (const line of broken) console.error(`\nNot as promised: ${line}`)
process.exitCode = broken.length > 0 ? 1 : 0
