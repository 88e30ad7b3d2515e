// What every page runs. Pages work without it, but for what is live.
import { follow } from './live.js';
import { localTimes } from './time.js';
import { searchKey } from './search.js';
import { forms } from './forms.js';
import { copying } from './copy.js';

forms();
searchKey();
copying();
localTimes(document);
follow();
