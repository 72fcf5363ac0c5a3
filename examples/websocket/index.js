// npm run demo:websocket  connections and messages of WebSockets, limited each by themselves; ends by itself, with exit
//                         code 0 only if the limits held
import { formatColumns } from '../shared/columns.js'
import { chat } from './clients.js'
import { buildServer } from './server.js'

const app = await buildServer()
await app.ready()
const rows = await chat(app)
await app.close()

console.log('GET /chat, 3 connections a minute of each client, and 5 messages over all of them:\n')
console.log(formatColumns([['what is done', 'what becomes of it'], ...rows.map(({ what, seen }) => [what, seen])]))

const broken = rows.filter(({ promise, seen }) => seen !== promise)
for (const { what, promise, seen } of broken) console.error(`\nNot as promised: ${what}: ${seen}, promised ${promise}`)
process.exitCode = broken.length > 0 ? 1 : 0
