import { buildApplication } from '../contestants/application.js'
import { NEVER_REACHED } from '../contestants/index.js'
import { answer } from '../worker.js'

// One contestant's server, on a free port of the loopback interface.
const [name, mode] = process.argv.slice(2)
const app = await buildApplication(name, mode === 'refusing' ? 1 : NEVER_REACHED)
await app.listen({ host: '127.0.0.1', port: 0 })

answer((question) => {
  switch (question) {
    case 'port': return app.server.address().port
    case 'cpu': {
      const { user, system } = process.cpuUsage()
      return user + system
    }
    default: throw new Error(`no such question: ${question}`)
  }
})
