// Has Go tests ask the official library about groups (official.mjs); {"op": "all", "requests": [...]} asks many at once.
import { serve } from '../official/lines.mjs';
import { ask } from './official.mjs';

await serve((request) => (request.op === 'all' ? { result: request.requests.map(ask) } : ask(request)));
