// Has Go tests ask the official library for credentials of the generic kind (official.mjs).
import { serve } from '../official/lines.mjs';
import { ask } from './official.mjs';

await serve(ask);
