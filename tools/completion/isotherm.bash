# Completion of isotherm's command line for bash, printed by: isotherm completion bash
_isotherm() {
  local current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}
  local path='' word words='' flags='' files='' value=yes
  for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$path:$word" in
      ':create') path='create' ;;
      ':import') path='import' ;;
      ':search') path='search' ;;
      ':get') path='get' ;;
      ':scan') path='scan' ;;
      ':stats') path='stats' ;;
      ':ls') path='ls' ;;
      ':cp') path='cp' ;;
      ':verify') path='verify' ;;
      ':compact') path='compact' ;;
      ':bench') path='bench' ;;
      ':completion') path='completion' ;;
      'bench:cold') path='bench cold' ;;
      'bench:warm') path='bench warm' ;;
      'bench:insert') path='bench insert' ;;
      'bench:kernels') path='bench kernels' ;;
    esac
  done
  case "$path:$before" in
    'create:--profile') words='s3 fixed20 none' ;;
    'create:--dimension') words='' ;;
    'create:--metric') words='l2 cosine ip' ;;
    'create:--key-type') words='int string' ;;
    'create:--filter-column') words='' ;;
    'import:--profile') words='s3 fixed20 none' ;;
    'import:--ids') files=yes; words='' ;;
    'import:--first-key') words='' ;;
    'import:--metadata') files=yes; words='' ;;
    'import:--key-field') words='' ;;
    'import:--vector-field') words='' ;;
    'import:--payload-field') words='' ;;
    'import:--limit') words='' ;;
    'import:--metric') words='l2 cosine ip' ;;
    'import:--key-type') words='int string' ;;
    'import:--filter-column') words='' ;;
    'import:--batch') words='' ;;
    'search:--profile') words='s3 fixed20 none' ;;
    'search:--cache-dir') files=yes; words='' ;;
    'search:--vector') words='' ;;
    'search:--query') files=yes; words='' ;;
    'search:--row') words='' ;;
    'search:-k') words='' ;;
    'search:--probes') words='' ;;
    'search:--rerank') words='' ;;
    'search:--out') files=yes; words='' ;;
    'search:--truth') files=yes; words='exact' ;;
    'get:--profile') words='s3 fixed20 none' ;;
    'get:--cache-dir') files=yes; words='' ;;
    'scan:--profile') words='s3 fixed20 none' ;;
    'scan:--limit') words='' ;;
    'stats:--profile') words='s3 fixed20 none' ;;
    'ls:--profile') words='s3 fixed20 none' ;;
    'cp:--profile') words='s3 fixed20 none' ;;
    'verify:--profile') words='s3 fixed20 none' ;;
    'compact:--profile') words='s3 fixed20 none' ;;
    'compact:--cells') words='' ;;
    'compact:--seed') words='' ;;
    'bench cold:--profile') words='s3 fixed20 none' ;;
    'bench cold:--queries') files=yes; words='' ;;
    'bench cold:--first-row') words='' ;;
    'bench cold:-k') words='' ;;
    'bench cold:--probes') words='' ;;
    'bench cold:--rerank') words='' ;;
    'bench cold:--runs') words='' ;;
    'bench warm:--profile') words='s3 fixed20 none' ;;
    'bench warm:--cache-dir') files=yes; words='' ;;
    'bench warm:--queries') files=yes; words='' ;;
    'bench warm:--count') words='' ;;
    'bench warm:-k') words='' ;;
    'bench warm:--probes') words='' ;;
    'bench insert:--profile') words='s3 fixed20 none' ;;
    'bench insert:--dimension') words='' ;;
    'bench insert:--rows') words='' ;;
    'bench insert:--batch') words='' ;;
    'bench kernels:--dimension') words='' ;;
    *) value='' ;;
  esac
  if [[ -z $value ]]; then
    case "$path" in
      '') words='create import search get scan stats ls cp verify compact bench completion'; flags='-h --help --version' ;;
      'create') words=''; flags='-h --help --profile --dimension --metric --key-type --filter-column --json' ;;
      'import') words=''; flags='-h --help --profile --ids --first-key --metadata --key-field --vector-field --payload-field --limit --create --metric --key-type --filter-column --batch --compact --no-compact --json' ;;
      'search') words=''; flags='-h --help --profile --cache-dir --vector --query --row -k --probes --rerank --exact --metadata --payload --explain --out --truth --json' ;;
      'get') words=''; flags='-h --help --profile --cache-dir --json' ;;
      'scan') words=''; flags='-h --help --profile --sorted --vector --no-vector --metadata --no-metadata --payload --no-payload --limit --json' ;;
      'stats') words=''; flags='-h --help --profile --json' ;;
      'ls') words=''; flags='-h --help --profile --json' ;;
      'cp') words=''; flags='-h --help --profile --json' ;;
      'verify') words=''; flags='-h --help --profile --json' ;;
      'compact') words=''; flags='-h --help --profile --cells --seed --json' ;;
      'bench') words='cold warm insert kernels'; flags='-h --help' ;;
      'bench cold') words=''; flags='-h --help --profile --queries --first-row -k --probes --rerank --runs --json' ;;
      'bench warm') words=''; flags='-h --help --profile --cache-dir --queries --count -k --probes --json' ;;
      'bench insert') words=''; flags='-h --help --profile --dimension --rows --batch --compact --json' ;;
      'bench kernels') words=''; flags='-h --help --dimension --json' ;;
      'completion') words='bash zsh fish'; flags='-h --help' ;;
    esac
    if [[ $current == -* ]]; then words=$flags; elif [[ -z $words ]]; then files=yes; fi
  fi
  COMPREPLY=()
  [[ -z $words ]] || mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
  if [[ -n $files ]]; then
    compopt -o filenames 2>/dev/null || true
    local found
    mapfile -t found < <(compgen -f -- "$current")
    COMPREPLY+=("${found[@]}")
  fi
}
complete -F _isotherm isotherm
