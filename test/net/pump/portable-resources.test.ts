import { testResources } from "./resources.ts";

testResources("portable", 16 * 1024 * 1024);
