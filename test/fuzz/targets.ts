import { clientTargets } from './client-targets.js'
import { configTargets } from './config-targets.js'
import { logTargets } from './log-targets.js'
import { replyTargets } from './reply-targets.js'
import type { Target } from './target.js'

/** All that reads bytes from outside. */
export const TARGETS: readonly Target[] = [...clientTargets, ...configTargets, ...logTargets, ...replyTargets]
