import table from "./table.json";
import words from "./deep/down/words.txt";

export default () => [table, words];
