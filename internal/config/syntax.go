package config

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"

	"github.com/alecthomas/participle/v2"
	"github.com/alecthomas/participle/v2/lexer"
)

// maxDepth bounds how deep blocks nest, and so how deep the parser recurses.
const maxDepth = 16

// Pos is a place in a file or object, counted from 1.
type Pos = lexer.Position

// item is what may stand outside of all blocks.
type item struct {
	Pos    Pos
	Verb   string `parser:"( @Directive"`
	Target string `parser:"@Target"`
	Node   *node  `parser:"| @@ )"`
}

// node is a block, or a key and its values.
type node struct {
	Pos      Pos
	Name     string  `parser:"@Word"`
	Values   []value `parser:"( '=' ( @@ ( ',' @@ )* )? ';'"`
	Block    bool    `parser:"| @'{'"`
	Children []*node `parser:"@@* '}' )"`
}

type value struct {
	Pos  Pos
	Text string `parser:"@( Word | Single | Double )"`
}

// tokens never fails: what is no token is an Other, which no rule of the grammar
// takes.
var tokens = lexer.MustStateful(lexer.Rules{
	"Root": {
		{Name: "Comment", Pattern: `#[^\n]*`},
		{Name: "Space", Pattern: `\s+`},
		{Name: "Directive", Pattern: `%[A-Za-z]+`, Action: lexer.Push("Target")},
		{Name: "Double", Pattern: `"(\\[\s\S]|[^"\\])*"`},
		{Name: "Single", Pattern: `'[^']*'`},
		{Name: "Word", Pattern: `[^\s{}=;,#"'%][^\s{}=;,#"']*`},
		{Name: "Punct", Pattern: `[{}=;,]`},
		{Name: "Other", Pattern: `[\s\S]`},
	},
	"Target": {
		{Name: "Blank", Pattern: `[ \t]+`},
		{Name: "Target", Pattern: `"[^"\n]*"|[^\s"#;]+`, Action: lexer.Pop()},
		{Name: "Nothing", Pattern: `[\s\S]`, Action: lexer.Pop()},
	},
})

var grammar = participle.MustBuild[item](
	participle.Lexer(tokens),
	participle.Elide("Comment", "Space", "Blank"),
	participle.UseLookahead(0), // the first token of a rule decides: faults are told where they are
	participle.Map(unquote, "Single", "Double", "Target"),
)

// unquote takes the quotes off. A backslash in double quotes stands for the
// character after it.
func unquote(t lexer.Token) (lexer.Token, error) {
	s := t.Value
	if len(s) < 2 || s[0] != s[len(s)-1] || s[0] != '"' && s[0] != '\'' {
		return t, nil
	}
	t.Value = s[1 : len(s)-1]
	if s[0] == '\'' || !strings.Contains(t.Value, `\`) {
		return t, nil
	}
	var plain strings.Builder
	for i := 0; i < len(t.Value); i++ {
		if t.Value[i] == '\\' && i+1 < len(t.Value) {
			i++
		}
		plain.WriteByte(t.Value[i])
	}
	t.Value = plain.String()
	return t, nil
}

// parse reads the text called name. After a fault it goes on behind the block
// that has it, so that one fault does not hide those of other blocks.
func parse(name string, text []byte) (items []*item, faults []Finding) {
	stream, err := lexTokens(name, text)
	if err != nil {
		return nil, []Finding{syntaxFault(name, err)}
	}
	if pos, deep := tooDeep(*stream); deep {
		return nil, []Finding{errorAt(pos, "blocks nest deeper than %d", maxDepth)}
	}
	for !stream.Peek().EOF() {
		start := *stream
		it, err := grammar.ParseFromLexer(stream, participle.AllowTrailing(true))
		if err != nil {
			faults = append(faults, syntaxFault(name, err))
			*stream = start
			skipBlock(stream)
			continue
		}
		items = append(items, it)
	}
	return items, faults
}

func lexTokens(name string, text []byte) (*lexer.PeekingLexer, error) {
	lex, err := grammar.Lexer().Lex(name, strings.NewReader(string(text)))
	if err != nil {
		return nil, err
	}
	symbols := grammar.Lexer().Symbols()
	return lexer.Upgrade(lex, symbols["Comment"], symbols["Space"], symbols["Blank"])
}

// tooDeep reports the first brace that opens more than maxDepth blocks.
func tooDeep(stream lexer.PeekingLexer) (pos Pos, deep bool) {
	for depth := 0; !stream.Peek().EOF(); {
		switch t := stream.Next(); t.Value {
		case "{":
			if depth++; depth > maxDepth {
				return t.Pos, true
			}
		case "}":
			depth--
		}
	}
	return pos, false
}

// skipBlock takes the tokens of one statement or block, and at least one.
func skipBlock(stream *lexer.PeekingLexer) {
	for depth := 0; !stream.Peek().EOF(); {
		switch stream.Next().Value {
		case "{":
			depth++
		case "}":
			if depth--; depth <= 0 {
				return
			}
		case ";":
			if depth == 0 {
				return
			}
		}
	}
}

func syntaxFault(name string, err error) Finding {
	var at participle.Error
	if errors.As(err, &at) {
		return errorAt(at.Position(), "%s", inWords(at.Message()))
	}
	return errorAt(Pos{Filename: name, Line: 1, Column: 1}, "%v", err)
}

// inWords puts the names of the grammar's tokens into a reader's words.
func inWords(message string) string {
	return strings.NewReplacer(
		`unexpected token "<EOF>"`, "the text ends here",
		"<directive>", "a directive", "<target>", "a name",
		"<word>", "a name", `(("=" (Value ("," Value)*)? ";") | ("{" Node* "}"))`, `"=" or "{"`, "Value", "a value",
	).Replace(message)
}

// Severity is how bad a finding is.
type Severity string

// Errors keep a configuration from being used. Warnings name what has no effect.
const (
	Error   Severity = "error"
	Warning Severity = "warning"
)

// Finding is something to say about a configuration, in one line.
type Finding struct {
	Pos      Pos
	Severity Severity
	Text     string
}

func (f Finding) String() string {
	return fmt.Sprintf("%s:%d:%d: %s: %s", f.Pos.Filename, f.Pos.Line, f.Pos.Column, f.Severity, f.Text)
}

func errorAt(pos Pos, format string, args ...any) Finding {
	return Finding{pos, Error, visible(fmt.Sprintf(format, args...))}
}

func warningAt(pos Pos, format string, args ...any) Finding {
	return Finding{pos, Warning, visible(fmt.Sprintf(format, args...))}
}

// visible is text in one line, whatever a file has in its quotes.
func visible(text string) string {
	if !strings.ContainsFunc(text, unicode.IsControl) {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		if unicode.IsControl(r) {
			b.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}
