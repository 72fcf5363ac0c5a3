// npm run demo:api-keys  tiers by API key, looked up in a database behind a cache; ends by itself, with exit code 0 only
//                        if the limits held
import { callersOf, send } from './callers.js'
import { CustomerTable } from './database.js'
import { buildServer } from './server.js'
import { formatTable } from './table.js'

const table = new CustomerTable()
const callers = callersOf(table)
const app = await buildServer(table)
const origin = await app.listen({ port: 0, host: '127.0.0.1' })

const startedMs = performance.now()
const outcomes = []
for (const caller of callers) outcomes.push(await send(`${origin}/quotes`, caller, table, startedMs))
await app.close()

console.log(`GET /quotes, all from one address:\n\n${formatTable(outcomes)}`)

const broken = outcomes.flatMap((outcome) => outcome.broken)
for (const line of broken) console.error(`\nNot as promised: ${line}`)
process.exitCode = broken.length > 0 ? 1 : 0
