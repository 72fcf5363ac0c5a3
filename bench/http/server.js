import { buildApplication } from '../contestants/application.js'
import { NEVER_REACHED } from '../contestants/index.js'
import { serve } from '../serve.js'

// One contestant's server.
const [name, mode] = process.argv.slice(2)
await serve(await buildApplication(name, mode === 'refusing' ? 1 : NEVER_REACHED))
