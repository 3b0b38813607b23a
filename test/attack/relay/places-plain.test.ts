import { legKinds } from "./legs.ts";
import { attackPlaces } from "./places.ts";

for (const leg of legKinds) if (!leg.tls) attackPlaces(leg, import.meta.url);
