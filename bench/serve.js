import { answer } from './worker.js'

/** Serve on a free port of the loopback interface, and tell the parent that port, or the processor time used so far. */
export async function serve (app) {
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
}
