// tap's settings are in package.json, under "tap": tap reads no settings from a file of this name.
// There, "before" names this program. tap runs it once ahead of all tests, and no test starts when it fails.
/* c8 ignore start */ // tap measures this program even where coverage is off, and would report it as untested
import { requireRedis } from './.ci/redis.js'

try {
  requireRedis()
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exit(1)
}
